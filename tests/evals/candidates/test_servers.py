"""Candidates behind a server: every fault injected over real sockets; nothing is lost, nothing is made up."""

import json

import pytest

from evals.candidates import CandidateSettings, open_candidates
from fixtures.contracts.errors import UserError
from fixtures.conversations.rows import rows_of
from fixtures.judge_server import (
    FILTERED,
    REASONING,
    REFUSED,
    Answer,
    Close,
    Delay,
    EchoAuthorization,
    Judge,
    JudgeServer,
    Reset,
    Status,
    Truncated,
    html,
)
from tests.evals.candidates.conftest import FLY, TOOLS, texts
from tests.training.chat.conftest import write_rows

KEY = "sk-for-the-candidate-alone"


def spec(kind, server):
    return f"{kind}:tuned@{server.url}" + ("/v1" if kind == "endpoint" else "")


KINDS = pytest.mark.parametrize("kind", ["endpoint", "ollama"])
PASSING = {
    "429": Status(429, retry_after=0.1),
    "500": Status(500),
    "503": Status(503),
    "reset": Reset(),
    "reset in the answer": Reset(mid_body=True),
    "closed": Close(),
    "silence": Delay(30),
    "HTML": html(200),
    "half of the JSON": Truncated(),
}


@KINDS
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_passing_fault_costs_a_repetition_and_no_answer(asked, rows, kind, fault):
    with JudgeServer([Answer("one"), fault, *[Answer("more")] * 20]) as server:
        answers = asked.answer(spec(kind, server), rows, candidate_timeout=0.7, candidate_concurrency=1)
    assert texts(answers) == ["one", *["more"] * 8, "one"]
    assert len(server.calls) == 10


@KINDS
@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (Status(500), "answered 500"),
        (Status(429), "answered 429"),
        (Reset(), "connection lost"),
        (FILTERED, "it answered without content (finish reason content_filter)"),
        (Answer("", finish_reason="length"), "it reached --max-new-tokens before it said anything"),
    ],
)
def test_a_row_whose_fault_stays_is_unanswered_and_no_empty_answer(asked, rows, kind, fault, said):
    with JudgeServer([Answer("fine"), *[fault] * 3]) as server:
        answers = asked.answer(spec(kind, server), rows[:2], candidate_concurrency=1)
    assert texts(answers) == ["fine", None]
    assert said in answers[1].error
    # It is asked again by the next run, and the other is not.
    with JudgeServer(Answer("now"), port=server.port) as server:
        assert texts(asked.answer(spec(kind, server), rows[:2])) == ["fine", "now"]
    assert len(server.calls) == 1


@pytest.mark.parametrize(
    ("said", "text", "reason"),
    [
        (Answer("Yes."), "Yes.", "stop"),
        (Answer("Cut", finish_reason="length"), "Cut", "length"),
        (REFUSED, "I'm sorry, but I can't assist with that request.", "stop"),
        (Answer(""), "", "stop"),
        (Answer("h\udc00f"), "h\ufffdf", "stop"),
    ],
)
def test_what_a_model_says_is_its_answer(asked, rows, said, text, reason):
    with JudgeServer(said) as server:
        (answered,) = asked.answer(spec("endpoint", server), rows[:1])
    assert (answered.text, answered.finish_reason, answered.error) == (text, reason, None)
    assert answered.tokens_in > 0
    assert answered.seconds >= 0


@KINDS
def test_the_request(asked, tmp_path, kind):
    messages = [
        {"role": "system", "content": "Brief.", "weight": 1},
        {"role": "user", "content": "Up!"},
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c1", **FLY}]},
        {"role": "tool", "tool_call_id": "c1", "content": "ok"},
        {"role": "assistant", "content": "Done."},
    ]
    (row,) = rows_of(write_rows(tmp_path / "r.jsonl", [{"messages": messages, "tools": TOOLS}])).rows
    with JudgeServer(Answer("Done.")) as server:
        asked.answer(spec(kind, server), [row], temperature=0.5, candidate_seed=7, max_new_tokens=99)
    (call,) = server.calls
    body = call.body
    assert body["tools"] == TOOLS
    arguments = body["messages"][2]["tool_calls"][0]["function"]["arguments"]
    assert [turn["role"] for turn in body["messages"]] == ["system", "user", "assistant", "tool"]
    if kind == "endpoint":
        assert (body["model"], body["temperature"], body["seed"], body["max_tokens"]) == ("tuned", 0.5, 7, 99)
        assert arguments == '{"height": 3}'
        assert body["messages"][0] == {"role": "system", "content": "Brief."}
    else:
        assert body["options"] == {"temperature": 0.5, "seed": 7, "num_predict": 99, "num_ctx": 4096}
        assert arguments == {"height": 3}
    assert "Authorization" not in call.headers


@pytest.mark.parametrize(
    ("judge", "said"), [(Judge(api_key="right-key"), "is the key right?"), (Judge(model="other"), "model's name")]
)
def test_a_wrong_key_or_model_is_told_after_one_question(asked, rows, monkeypatch, judge, said):
    monkeypatch.setenv("CANDIDATE_API_KEY", KEY)
    with JudgeServer(judge=judge) as server:
        with pytest.raises(UserError) as caught:
            asked.answer(spec("endpoint", server), rows)
        assert len(server.calls) == 1
    assert str(caught.value).startswith(f"candidate {spec('endpoint', server)}: {server.url}/v1 answered 40")
    assert said in str(caught.value)


def test_a_server_that_refuses_every_row_is_not_asked_them_all(asked, rows):
    with JudgeServer(Status(400, "Server is pinned to 'other'")) as server:
        with pytest.raises(UserError) as caught:
            asked.answer(spec("endpoint", server), rows)
        assert len(server.calls) == 3
    assert str(caught.value).endswith("400 Bad Request: Server is pinned to 'other' (to each of the first 3 rows)")


def test_a_first_row_that_is_refused_for_itself_stops_nobody(asked, rows):
    with JudgeServer([Status(400, "too long"), *[Answer("fine")] * 20]) as server:
        answers = asked.answer(spec("endpoint", server), rows[:5])
    assert texts(answers) == [None, *["fine"] * 4]


def test_nobody_listens(asked, rows):
    with JudgeServer() as server:
        pass
    with pytest.raises(UserError, match=r"cannot connect.*\(3 attempts\)"):
        asked.answer(spec("endpoint", server), rows)


def test_parameters_that_the_server_refuses_are_left_out_and_that_is_noted(asked, rows):
    with JudgeServer(Answer("fine"), judge=REASONING) as server:
        answers = asked.answer(spec("endpoint", server), rows[:3], max_new_tokens=50)
    assert set(texts(answers)) == {"fine"}
    assert list(asked.candidate.notes) == ["the server refuses temperature; asked without it"]
    assert "temperature" not in server.calls[-1].body
    assert server.calls[-1].body["max_completion_tokens"] == 50


def test_another_model_that_answers_is_noted(asked, rows):
    with JudgeServer(Answer("fine"), judge=Judge(served_model="base")) as server:
        asked.answer(spec("endpoint", server), rows[:3])
    assert list(asked.candidate.notes) == ['the server answers as model "base" where "tuned" was asked']


class TestKeys:
    """A key reaches the server that it is for, and no other place."""

    def sent(self, asked, rows, name, **given):
        with JudgeServer(Answer("fine")) as server:
            asked.answer(name(server), rows[:1], **given)
        return server.calls[-1].headers.get("Authorization")

    def test_of_a_candidate(self, asked, rows, monkeypatch, tmp_path):
        endpoint = lambda server: spec("endpoint", server)  # noqa: E731
        for name in ("OPENAI_API_KEY", "JUDGE_API_KEY"):
            monkeypatch.setenv(name, "sk-of-somebody-else")
        assert self.sent(asked, rows, endpoint) is None
        (tmp_path / "key").write_text(KEY)
        assert self.sent(asked, rows, endpoint, candidate_key_file=tmp_path / "key") == f"Bearer {KEY}"
        monkeypatch.setenv("CANDIDATE_API_KEY", KEY)
        assert self.sent(asked, rows, endpoint) == f"Bearer {KEY}"
        assert self.sent(asked, rows, lambda server: spec("ollama", server)) is None
        assert KEY not in "".join(file.read_text() for file in asked.folder.rglob("*.jsonl"))

    def test_of_openai(self, asked, rows, monkeypatch):
        monkeypatch.setenv("CANDIDATE_API_KEY", KEY)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        with pytest.raises(UserError, match="no key; set OPENAI_API_KEY or pass --candidate-key-file"):
            asked.open("openai:ft:gpt-4o-mini:shop")
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
        with JudgeServer(Answer("fine")) as server:
            monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
            asked.answer("openai:ft:gpt-4o-mini:shop", rows[:1])
        assert server.calls[0].headers["Authorization"] == "Bearer sk-of-openai"
        assert server.calls[0].body["max_completion_tokens"] == 12

    def test_echoed_by_the_server(self, asked, rows, monkeypatch):
        monkeypatch.setenv("CANDIDATE_API_KEY", KEY)
        with JudgeServer([Answer("fine"), EchoAuthorization()]) as server:
            answers = asked.answer(spec("endpoint", server), rows[:2], candidate_concurrency=1)
        assert "Authorization: Bearer ***" in answers[1].error

    def test_two_servers_never_get_one_key(self, monkeypatch, tmp_path):
        two = ["endpoint:a@http://one/v1", "endpoint:b@http://two/v1"]
        settings = CandidateSettings(save_to=tmp_path)
        monkeypatch.delenv("CANDIDATE_API_KEY", raising=False)
        assert len(open_candidates(two, settings)) == 2
        monkeypatch.setenv("CANDIDATE_API_KEY", KEY)
        with pytest.raises(UserError, match="2 servers that would get it: http://one/v1, http://two/v1"):
            open_candidates(two, settings)

    def test_a_key_in_a_file_is_not_for_openai_and_for_others(self, monkeypatch, tmp_path):
        monkeypatch.delenv("CANDIDATE_API_KEY", raising=False)
        (tmp_path / "key").write_text(KEY)
        settings = CandidateSettings(save_to=tmp_path, candidate_key_file=tmp_path / "key")
        with pytest.raises(UserError, match="2 servers that would get it: http://one/v1, openai\n"):
            open_candidates(["openai:a", "endpoint:b@http://one/v1"], settings)
        assert len(open_candidates(["openai:a", "openai:b", "ollama:c"], settings)) == 3


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("endpoint:tuned", "endpoint: needs a URL"),
        ("endpoint:@http://h", "no model is named"),
        ("openai:x@http://h/v1", "openai: takes no URL"),
        ("endpoint:x@http://user:secret@h/v1", "use --candidate-key-file"),
    ],
)
def test_names_that_cannot_be(asked, name, said):
    with pytest.raises(UserError) as caught:
        asked.open(name)
    assert said in str(caught.value)
    assert str(caught.value).startswith("--candidate")
    assert "secret" not in str(caught.value)


def test_the_identity_has_all_that_can_change_an_answer(asked):
    def digest(name="endpoint:a@http://h/v1", **given):
        return asked.open(name, **given).digest

    assert digest() == digest(candidate_timeout=9, candidate_concurrency=3, candidate_seed=5)
    others = [
        digest("endpoint:b@http://h/v1"), digest("endpoint:a@http://other/v1"), digest("ollama:a@http://h/v1"),
        digest(candidate_revision="2"), digest(max_new_tokens=13), digest(temperature=0.5),
        digest(temperature=0.5, candidate_seed=5),
    ]  # fmt: skip
    assert len({digest(), *others}) == 8
    json.dumps(dict(asked.open("endpoint:a@http://h/v1").identity))

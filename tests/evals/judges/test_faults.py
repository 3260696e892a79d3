"""Every way in which a judge's server is known to fail: nothing is lost, nothing is made up.

Faults of the wire are injected by a real server over real sockets, through both
of its APIs. A first group goes away when asked again; a second one stays, and
must end in unscored pairs with one line that says why.
"""

import json
from datetime import timedelta
from itertools import repeat

import pytest

from fixtures.contracts.errors import UserError
from fixtures.judge_server import (
    FILTERED,
    REFUSED,
    Answer,
    Close,
    Delay,
    Drip,
    EchoAuthorization,
    Judge,
    JudgeServer,
    Reset,
    Stall,
    Status,
    Truncated,
    html,
)
from tests.evals.judge_bench import PAIRS, TRUE_SCORES, errors, scores, spec

KINDS = pytest.mark.parametrize("kind", ["endpoint", "ollama"])
PASSING = {
    "408": Status(408),
    "409": Status(409),
    "429": Status(429),
    "429 with seconds to wait": Status(429, retry_after=0.2),
    "429 with a date to wait for": Status(429, retry_after=timedelta(seconds=1)),
    "429 with nonsense to wait for": Status(429, retry_after="soon"),
    "500": Status(500),
    "502": Status(502),
    "503": Status(503),
    "504": Status(504),
    "reset": Reset(),
    "reset in the answer": Reset(mid_body=True),
    "closed": Close(),
    "closed in the answer": Close(mid_body=True),
    "silence": Delay(30),
    "silence in the answer": Stall(30),
    "a byte now and then": Drip(0.5),
    "HTML with 200": html(200),
    "HTML with 502": html(502),
    "half of the JSON": Truncated(),
}


@KINDS
@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_a_passing_fault_costs_a_repetition_and_no_verdict(bench, kind, fault):
    with JudgeServer([fault]) as server:
        judging = bench.judge(spec(kind, server.url), judge_timeout=0.7)
    assert scores(judging) == TRUE_SCORES
    assert (judging.usage.calls, judging.usage.retries) == (3, 1)
    assert len(server.calls) == 4


def test_a_server_that_says_when_is_not_asked_earlier(bench):
    with JudgeServer([Status(429, retry_after=1)]) as server:
        bench.judge(spec("endpoint", server.url))
    refused, again, *_ = server.calls
    assert again.time - refused.time >= 0.99


STAYING = {
    "408": (Status(408), "answered 408"),
    "429": (Status(429), "answered 429"),
    "500": (Status(500), "answered 500"),
    "503": (Status(503), "answered 503"),
    "reset": (Reset(), "connection lost"),
    "silence": (Delay(30), "did not answer within 0.2 s"),
    "slow drip": (Drip(0.1), "did not answer within 0.2 s"),
    "HTML": (html(200), "answered 200 with HTML"),
    "half of the JSON": (Truncated(), "no whole JSON"),
    "bad gateway's page": (html(502), "answered 502 Bad Gateway: (HTML)"),
}


@KINDS
@pytest.mark.parametrize(("fault", "message"), STAYING.values(), ids=STAYING.keys())
def test_a_staying_fault_leaves_pairs_unscored_and_says_why(bench, kind, fault, message):
    with JudgeServer({"rec.autos": repeat(fault)}) as server:
        judging = bench.judge(spec(kind, server.url), judge_timeout=0.2 if "0.2" in message else 2)
    # The others keep their verdicts.
    assert scores(judging) == [1.0, None, 1.0]
    assert message in errors(judging)[1]
    assert "(3 attempts)" in errors(judging)[1]
    assert "\n" not in errors(judging)[1]
    # Nothing is known of that pair: a later run asks again, and only about it.
    with JudgeServer() as server:
        assert scores(bench.judge(spec(kind, server.url))) == TRUE_SCORES
    assert [call.pair.actual for call in server.calls] == ["rec.autos"]


@KINDS
def test_a_request_that_the_server_rejects_is_not_repeated(bench, kind):
    """As when one prompt is too long for the model: the others are judged all the same."""
    with JudgeServer({"rec.autos": repeat(Status(400, "maximum context length is 4096 tokens"))}) as server:
        judging = bench.judge(spec(kind, server.url))
    assert scores(judging) == [1.0, None, 1.0]
    assert "answered 400 Bad Request: maximum context length is 4096 tokens" in errors(judging)[1]
    assert len(server.calls) == 3


@KINDS
@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (Judge(api_key="right"), "answered 401"),
        (Judge(api_key="right", key_status=403), "answered 403"),
        (Judge(model="another"), "answered 404"),
    ],
    ids=["401", "403", "404"],
)
def test_a_wrong_key_or_model_ends_the_run_at_the_first_question(bench, kind, judge, message):
    with JudgeServer(judge=judge) as server:
        with pytest.raises(UserError, match=message):
            bench.preflight(spec(kind, server.url))
        assert len(server.calls) == 1
        # The same in the middle of a run: a key may be revoked.
        judging = bench.judge(spec(kind, server.url))
    assert scores(judging) == [None] * 3
    assert message in judging.stopped
    assert len(server.calls) == 2
    assert f"not asked: {judging.stopped}" in errors(judging)


def test_nobody_listens(bench):
    with JudgeServer() as server:
        url = server.url
    with pytest.raises(UserError, match=r"cannot connect: Connect call failed|cannot connect"):
        bench.preflight(spec("endpoint", url))


def test_no_such_host(bench):
    with pytest.raises(UserError, match="the host name cannot be resolved"):
        bench.preflight("endpoint:judge@http://no-such-host.invalid/v1")


def test_an_untrusted_certificate(bench):
    with JudgeServer(tls=True) as server, pytest.raises(UserError, match="TLS failed"):
        bench.preflight(spec("endpoint", server.url))
    assert server.calls == []


def test_a_trusted_certificate(bench, tmp_path, monkeypatch):
    with JudgeServer(tls=True) as server:
        (tmp_path / "ca.pem").write_text(server.certificate_authority)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        assert bench.preflight(spec("endpoint", server.url)).answer.score == 10


def test_a_redirect_is_not_followed(bench):
    """It would carry the key to an address that the user never named."""
    with JudgeServer() as elsewhere:
        there = Status(307, headers={"Location": f"{elsewhere.url}/v1/chat/completions"})
        with JudgeServer([there]) as server, pytest.raises(UserError, match="answered 307"):
            bench.preflight(spec("endpoint", server.url))
        assert elsewhere.calls == []


def test_a_judge_that_is_down_is_not_asked_hundreds_of_times(bench):
    pairs = [type(PAIRS[0])(f"category {number}", "sci.space") for number in range(200)]
    with JudgeServer(repeat(Status(503))) as server:
        judging = bench.judge(spec("endpoint", server.url), pairs, judge_retries=1)
    # Ten failures of two attempts each, and whoever was under way by then.
    assert 20 <= len(server.calls) <= 22
    assert "failed 10 times in a row" in judging.stopped
    assert "answered 503" in judging.stopped
    assert errors(judging)[-1] == f"not asked: {judging.stopped}"


# -- answers that are no verdicts ------------------------------------------------

GOOD = '{"reason": "compared", "score": 7}'
WRAPPED = {
    "fence": f"```json\n{GOOD}\n```",
    "fence without a language": f"```\n{GOOD}\n```",
    "thinking": f"<think>\nIs it 3? Or {{'score': 9}}?\n</think>\n{GOOD}",
    "text for a number": '{"reason": "compared", "score": "7"}',
    "7.0": '{"reason": "compared", "score": 7.0}',
    "blanks": f"\n\n  {GOOD}\n",
}


@KINDS
@pytest.mark.parametrize("text", WRAPPED.values(), ids=WRAPPED.keys())
def test_wrappings_that_do_not_hide_the_verdict(bench, kind, text):
    with JudgeServer(repeat(Answer(text))) as server:
        judging = bench.judge(spec(kind, server.url), PAIRS[:1])
    assert scores(judging) == [0.7]
    assert judging.usage.bad_answers == 0


MALFORMED = {
    "empty": "",
    "blank": " \n ",
    "prose": "I would award 10 points.",
    "eleven": '{"reason": "r", "score": 11}',
    "minus one": '{"reason": "r", "score": -1}',
    "7.5": '{"reason": "r", "score": 7.5}',
    "null": '{"reason": "r", "score": null}',
    "NaN": '{"reason": "r", "score": NaN}',
    "a word": '{"reason": "r", "score": "seven"}',
    "no score": '{"reason": "r"}',
    "no reason": '{"score": 7}',
    "two objects": f"{GOOD}\n{GOOD}",
    "a key twice": '{"reason": "r", "score": 7, "score": 10}',
    "cut off": '{"reason": "it goes on and',
    "thinking without end": f"<think>{GOOD}",
    "a list": f"[{GOOD}]",
}


@KINDS
@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_bad_answer_is_told_to_the_judge_who_may_do_better(bench, kind, text):
    with JudgeServer([Answer(text)]) as server:
        judging = bench.judge(spec(kind, server.url), PAIRS[:1])
    assert scores(judging) == [1.0]
    assert (judging.usage.calls, judging.usage.bad_answers, judging.usage.retries) == (2, 1, 0)
    *_, said = server.calls[1].body["messages"]
    assert said["role"] == "user"
    assert said["content"].startswith("That answer cannot be used: it ") or "the score is" in said["content"]


@KINDS
@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED.keys())
def test_a_judge_that_never_does_better_leaves_the_pair_unscored(bench, kind, text):
    with JudgeServer({"rec.autos": repeat(Answer(text))}) as server:
        judging = bench.judge(spec(kind, server.url), answer_retries=2)
    assert scores(judging) == [1.0, None, 1.0]
    verdict = judging.verdicts[PAIRS[1]].verdict
    assert verdict.error.startswith("malformed answer: ")
    assert verdict.raw == text
    assert [call.pair.actual for call in server.calls].count("rec.autos") == 3


@pytest.mark.parametrize("step", [REFUSED, FILTERED], ids=["refusal", "content filter"])
def test_a_refusal_is_no_verdict(bench, step):
    with JudgeServer(repeat(step)) as server:
        judging = bench.judge(spec("endpoint", server.url), PAIRS[:1])
    assert scores(judging) == [None]
    assert (judging.verdicts[PAIRS[0]].verdict.raw or "") == (step.refusal or "")


def test_an_answer_that_was_cut_off_says_by_what(bench):
    with JudgeServer(repeat(Answer('{"reason": "and so', finish_reason="length"))) as server:
        judging = bench.judge(spec("endpoint", server.url), PAIRS[:1])
    assert "cut off at --judge-max-tokens" in errors(judging)[0]


@KINDS
def test_a_reason_with_lone_surrogates_and_a_megabyte_long(bench, kind):
    text = json.dumps({"reason": "\ud83d \x1b[2J " + "x" * 2**20, "score": 10})
    with JudgeServer(repeat(Answer(text))) as server:
        judging = bench.judge(spec(kind, server.url), PAIRS[:1])
    verdict = judging.verdicts[PAIRS[0]].verdict
    assert verdict.score == 1.0
    assert verdict.reason.startswith("\\ud83d \\x1b[2J xxx")
    verdict.reason.encode("utf-8")


@KINDS
def test_another_model_than_asked_for(bench, kind):
    with JudgeServer(judge=Judge(served_model="cheaper-model")) as server:
        with pytest.raises(UserError, match='with model "cheaper-model" where "judge" was asked'):
            bench.preflight(spec(kind, server.url))
        examined = bench.preflight(spec(kind, server.url), judge_served_model="cheaper-model")
    assert examined.capabilities.model == "cheaper-model"


@pytest.mark.parametrize("served", ["judge-2026-08-06", "judge:latest", "provider/judge", "Judge"])
def test_a_snapshot_of_the_same_model(bench, served):
    with JudgeServer(judge=Judge(served_model=served)) as server:
        assert bench.preflight(spec("endpoint", server.url)).answer.score == 10


def test_a_judge_that_never_says_the_same_twice(bench):
    """The first verdict is kept: a second run sees the same one."""
    answers = (Answer(f'{{"reason": "{number}", "score": {number}}}') for number in range(11))
    with JudgeServer(answers) as server:
        first = bench.judge(spec("endpoint", server.url))
        second = bench.judge(spec("endpoint", server.url))
    assert sorted(scores(first)) == [0.0, 0.1, 0.2]
    assert scores(second) == scores(first)
    assert (second.usage.calls, second.usage.cache_hits) == (0, 3)


# -- keys ------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["environment", "file"])
def test_a_key_is_sent_and_never_shown(bench, tmp_path, monkeypatch, source):
    given = {}
    if source == "file":
        (tmp_path / "key").write_text("very-secret-key\n")
        given = {"judge_key_file": tmp_path / "key"}
    else:
        monkeypatch.setenv("JUDGE_API_KEY", "very-secret-key")
    leaks = [EchoAuthorization(code=500)] * 3
    echo = Answer('{"reason": "your key is very-secret-key", "score": 10}')
    with JudgeServer({"rec.autos": leaks, "sci.med": echo}, Judge(api_key="very-secret-key")) as server:
        judging = bench.judge(spec("endpoint", server.url), **given)
    assert scores(judging) == [1.0, None, 1.0]
    assert "***" in errors(judging)[1]
    assert judging.verdicts[PAIRS[2]].verdict.reason == "your key is ***"
    assert "very-secret-key" not in repr(judging)
    assert all(b"very-secret-key" not in file.read_bytes() for file in tmp_path.glob("verdicts.sqlite*"))


def test_the_key_of_openai_is_for_openai_alone(bench, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-of-openai")
    with JudgeServer() as server:
        bench.judge(spec("endpoint", server.url))
        assert "Authorization" not in server.calls[0].headers
        monkeypatch.setenv("OPENAI_BASE_URL", f"{server.url}/v1")
        bench.judge("openai:judge")
        assert server.calls[-1].headers["Authorization"] == "Bearer sk-secret-of-openai"


@pytest.mark.parametrize("content", ["", "two words", "\x00"])
def test_a_file_that_holds_no_key(bench, tmp_path, content):
    (tmp_path / "key").write_text(content)
    with pytest.raises(UserError, match="must hold one key and nothing else"):
        bench.judge("endpoint:m@http://127.0.0.1:9/v1", judge_key_file=tmp_path / "key")


def test_openai_without_a_key(bench, monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(UserError, match="no key; set OPENAI_API_KEY or pass --judge-key-file"):
        bench.judge("openai:gpt-4o")

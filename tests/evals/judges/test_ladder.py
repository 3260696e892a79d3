"""How a judge is held to the schema, server by server, and what the preflight says about it."""

import re
from dataclasses import replace
from itertools import repeat

import pytest

from fixtures.contracts.errors import UserError
from fixtures.judge_server import (
    LLAMA_CPP,
    OLLAMA,
    REASONING,
    TRANSFORMERS_SERVE,
    Answer,
    Judge,
    JudgeServer,
    Status,
)
from tests.evals.judge_bench import PAIRS, TRUE_SCORES, errors, scores, spec


@pytest.mark.parametrize(
    ("kind", "judge", "schema", "logprobs"),
    [
        ("endpoint", Judge(), "JSON schema", True),
        ("endpoint", OLLAMA, "JSON schema", True),
        ("endpoint", LLAMA_CPP, "JSON object with schema", True),
        ("endpoint", Judge(enforces={"tools"}), "tool call", False),
        ("endpoint", Judge(enforces={"json_object"}), None, True),
        ("endpoint", Judge(enforces=()), None, True),
        ("endpoint", Judge(enforces=(), unsupported="crash"), None, True),
        ("endpoint", replace(TRANSFORMERS_SERVE, unconstrained="{answer}"), None, False),
        ("endpoint", Judge(logprobs="rejected"), "JSON schema", False),
        ("ollama", OLLAMA, "JSON schema (format)", True),
        ("ollama", Judge(enforces={"ollama_json"}, unsupported="ignore"), None, True),
        ("ollama", Judge(enforces=(), logprobs="ignored"), None, False),
    ],
)
def test_the_first_rung_that_holds(bench, kind, judge, schema, logprobs):
    with JudgeServer(judge=judge) as server:
        examined = bench.preflight(spec(kind, server.url))
        assert (examined.capabilities.schema, examined.capabilities.logprobs) == (schema, logprobs)
        assert examined.answer.score == 10
        # What the preflight found is what the run uses; without a schema the answers are checked all the same.
        judging = bench.judge(spec(kind, server.url), preflight=True)
    assert scores(judging) == TRUE_SCORES
    assert judging.usage.retries == 0


def test_a_schema_that_is_accepted_and_ignored_is_told(bench):
    with JudgeServer(judge=TRANSFORMERS_SERVE) as server:
        bench.preflight(spec("endpoint", server.url))
    said = "\n".join(bench.lines)
    assert "no schema enforced; no logprobs" in said
    assert "JSON schema: accepted, but ignored" in said
    assert "answers are not held to a schema" in said


def test_a_model_that_guesses_the_form_does_not_pass_for_an_enforced_schema(bench):
    """Its answers are perfect JSON every time, and yet nothing holds it to that."""
    with JudgeServer(judge=Judge(enforces=(), unsupported="ignore")) as server:
        assert bench.preflight(spec("endpoint", server.url)).capabilities.schema is None


def test_parameters_that_a_server_refuses_are_left_out(bench):
    with JudgeServer(judge=replace(REASONING, logprobs="rejected")) as server:
        examined = bench.preflight(spec("endpoint", server.url))
        bench.judge(spec("endpoint", server.url), preflight=True)
        body = server.calls[-1].body
    assert examined.answer.score == 10
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 1024
    assert "temperature" not in body
    assert any("the server refuses temperature" in line for line in bench.lines)


def test_the_best_case_costs_one_question(bench):
    with JudgeServer() as server:
        bench.judge(spec("endpoint", server.url), preflight=True)
        assert [call.method for call in server.calls].count("POST") == 1 + len(PAIRS)


def test_a_judge_that_cannot_tell_an_exact_match_is_warned_about(bench):
    with JudgeServer(judge=Judge(score=lambda pair: 3)) as server:
        bench.preflight(spec("endpoint", server.url))
    assert any("warning: it gives a perfect answer 3 of 10" in line for line in bench.lines)


def test_a_judge_that_gives_no_verdict_is_warned_about(bench):
    with JudgeServer(repeat(Answer("Certainly!"))) as server:
        assert bench.preflight(spec("endpoint", server.url)).answer is None
    assert any("its answer to a known question is no verdict" in line for line in bench.lines)


def test_a_server_that_is_down_is_not_climbed_down_on(bench):
    with JudgeServer(repeat(Status(503))) as server:
        with pytest.raises(UserError, match="answered 503"):
            bench.preflight(spec("endpoint", server.url))
        assert len(server.calls) == 3


def test_a_model_that_ollama_lacks_says_how_to_get_it(bench):
    with JudgeServer(judge=replace(OLLAMA, model="llama3.2")) as server:
        with pytest.raises(UserError) as caught:
            bench.preflight(spec("ollama", server.url))
        assert "model 'judge' not found" in str(caught.value)
        assert "`ollama pull judge` fetches it" in str(caught.value)
        examined = bench.preflight(f"ollama:llama3.2@{server.url}")
    assert any(re.search("--judge-revision [0-9a-f]{12}", note) for note in examined.capabilities.notes)


def test_ollama_gets_the_context_that_a_long_prompt_needs(bench):
    with JudgeServer(judge=OLLAMA) as server:
        bench.judge(spec("ollama", server.url), [type(PAIRS[0])("word " * 4000, "sci.space")])
        bench.judge(spec("ollama", server.url), PAIRS[:1])
    long, short = (call.body["options"] for call in server.calls)
    assert long["num_ctx"] == 16384
    assert "num_ctx" not in short


# -- weighted scores -------------------------------------------------------------

UNSURE = {"10": 0.7, "5": 0.2, "0": 0.1}


@pytest.mark.parametrize("kind", ["endpoint", "ollama"])
@pytest.mark.parametrize("split_digits", [False, True])
def test_weighted_scores(bench, kind, split_digits):
    with JudgeServer(judge=Judge(score=lambda pair: UNSURE, split_digits=split_digits)) as server:
        judging = bench.judge(spec(kind, server.url), PAIRS[:1], score_mode="weighted", preflight=True)
    assert scores(judging) == [pytest.approx(0.8, abs=0.01)]


def test_raw_and_weighted_verdicts_are_kept_apart(bench):
    with JudgeServer(judge=Judge(score=lambda pair: UNSURE)) as server:
        raw = bench.judge(spec("endpoint", server.url))
        weighted = bench.judge(spec("endpoint", server.url), score_mode="weighted")
    assert scores(raw) == [1.0] * 3
    assert scores(weighted) == [pytest.approx(0.8, abs=0.01)] * 3
    assert weighted.usage.cache_hits == 0


def test_weighted_scores_need_logprobs(bench):
    refused = pytest.raises(UserError, match="gives no logprobs, which --score-mode weighted needs")
    with JudgeServer(judge=TRANSFORMERS_SERVE) as server, refused:
        bench.preflight(spec("endpoint", server.url), score_mode="weighted")
    # Should they be lost in the middle of a run, there is no verdict rather than one on another scale.
    with JudgeServer(judge=Judge(logprobs="ignored")) as server:
        judging = bench.judge(spec("endpoint", server.url), score_mode="weighted")
    assert scores(judging) == [None] * 3
    assert "without the logprobs" in errors(judging)[0]

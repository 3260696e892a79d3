"""A jury: who is asked how often, what counts, and what it may cost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from itertools import cycle, repeat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.judges import Judgement
from evals.judges.probes import PROBES
from evals.reports.noise import noise, pair_rows
from evals.reports.rows import PairKey
from fixtures.contracts.errors import UserError
from fixtures.judge_server import Answer, Judge, JudgeServer, Status
from tests.evals.judge_bench import PAIRS, TRUE_SCORES, errors, scores, spec

ROOT = Path(__file__).parents[2]


def said(score):
    return Answer(json.dumps({"reason": f"I say {score}", "score": score}))


def as_rows(judging, samples):
    """Verdicts and numbers of samples by what a report calls the pairs."""
    verdicts = {PairKey(pair.expected, pair.actual): verdict for pair, verdict in judging.verdicts.items()}
    return verdicts, {PairKey(pair.expected, pair.actual): count for pair, count in samples.items()}


def distinct(count):
    return [Judgement(f"category {number}", f"category {number}") for number in range(count)]


# -- each distinct pair once ------------------------------------------------------


def test_equal_judgements_are_asked_once(bench):
    with JudgeServer() as server:
        judging = bench.judge(spec("endpoint", server.url), PAIRS * 500, judge_concurrency=16)
    assert (len(server.calls), judging.usage.calls) == (3, 3)


def test_a_verdict_that_another_process_stored_meanwhile_is_not_asked_for(bench):
    """Two runs on one store at once, as shards are: they ask in other orders, and share what they find out."""
    pairs = distinct(60)
    with JudgeServer(judge=Judge(latency=0.02)) as server:
        code = (
            "import sys; from pathlib import Path; from evals.judges import *; from evals.judging import Jury;"
            "from evals.settings import Settings; from evals.verdicts import VerdictStore;"
            "pairs = [Judgement(f'category {n}', f'category {n}') for n in range(60)];"
            "s = Settings(judge=sys.argv[1], judge_concurrency=2); "
            "store = VerdictStore(Path(sys.argv[2])); jury = Jury(open_judges(s), store, s);"
            "votes = jury.judge(pairs if sys.argv[3] == 'up' else pairs[::-1], lambda t, n: lambda k: None);"
            "print(sum(v.verdict.score == 1.0 for v in votes.verdicts.values()))"
        )
        command = [sys.executable, "-c", code, spec("endpoint", server.url), str(bench.store)]
        processes = [
            subprocess.Popen([*command, way], cwd=ROOT, stdout=subprocess.PIPE, text=True) for way in ("up", "down")
        ]
        assert [process.communicate(timeout=120)[0].strip() for process in processes] == ["60", "60"]
    # What one has under way, the other cannot know; without the store there would be 120.
    assert 60 <= len(server.calls) < 90
    assert bench.judge("endpoint:judge@http://127.0.0.1:9/v1", pairs).usage.cache_hits == 60


def test_a_server_that_is_killed_and_started_again_loses_nothing(bench):
    pairs = distinct(30)
    with JudgeServer(judge=Judge(latency=0.01)) as server:
        port, url = server.port, server.url
        first = bench.judge(spec("endpoint", url), pairs[:10])
    assert scores(first) == [1.0] * 10
    # Down: the rest is unscored, what was answered stays.
    down = bench.judge(spec("endpoint", url), pairs)
    assert Counter(scores(down)) == {1.0: 10, None: 20}
    with JudgeServer(port=port) as server:
        again = bench.judge(spec("endpoint", url), pairs)
        assert len(server.calls) == 20
    assert scores(again) == [1.0] * 30


@pytest.mark.slow
def test_kill_minus_nine_repeats_nothing_that_was_answered(evals, tmp_path):
    """Counted at the server: a judgement that had been answered is never asked again, except those in flight."""
    log = tmp_path / "answered"
    server = subprocess.Popen(
        [sys.executable, "-m", "fixtures.judge_server", "--latency", "0.15", "--log", str(log)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    url = server.stdout.readline().strip()

    def answered():
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        return [row["actual"] for row in map(json.loads, lines) if row["actual"].startswith("c")]

    labels = [f"c{number}" for number in range(60)]
    options = [
        *("--judge", f"endpoint:judge@{url}/v1", "--judge-concurrency", "2"),
        *evals.data([(label, label) for label in labels]),
    ]
    command = [sys.executable, "-m", "pytest", "evals", "-p", "no:cacheprovider", "--save-to", str(evals.out), *options]
    try:
        for goal in (10, 30):
            run = subprocess.Popen(command, cwd=ROOT, env=evals.environment, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 120
            while len(answered()) < goal and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(run.pid, signal.SIGKILL)
            run.wait()
            assert goal <= len(answered()) < 60
        final = evals.run(*options)
    finally:
        server.terminate()
        server.wait()
    assert final.exit_code == 0, final.output
    counts = Counter(answered())
    assert len(counts) == 60
    # Two kills with two questions in flight each.
    assert sum(counts.values()) <= 64


# -- repeats, panels, confirmations ---------------------------------------------


def test_the_median_of_repeats_counts_and_seeds_differ(bench):
    with JudgeServer({"sci.space": [said(9), said(2), said(8)], "rec.autos": repeat(said(3))}) as server:
        judging = bench.judge(spec("endpoint", server.url), PAIRS[:2], repeats=3)
        seeds = [call.body["seed"] for call in server.calls]
    assert scores(judging) == [0.8, 0.3]
    assert sorted(seeds) == [0, 0, 1, 1, 2, 2]
    found = noise(*as_rows(judging, Counter({PAIRS[0]: 5, PAIRS[1]: 7})), lambda metric: 0.8)
    assert (found.pairs, found.flipped_pairs, found.flip_rate) == (2, 1, 0.5)
    assert (found.max_spread, found.mean_spread) == (pytest.approx(0.7), pytest.approx(0.35))
    verdicts, counts = as_rows(judging, Counter({PAIRS[0]: 5, PAIRS[1]: 7}))
    first, _ = pair_rows(verdicts, counts, {pair: pair[:2] for pair in counts}, lambda metric: 0.8)
    assert (first.flipped, first.samples, [vote.score for vote in first.votes]) == (True, 5, [0.9, 0.2, 0.8])


def test_more_repeats_only_ask_for_the_new_ones(bench):
    with JudgeServer() as server:
        bench.judge(spec("endpoint", server.url))
        judging = bench.judge(spec("endpoint", server.url), repeats=3)
    assert (judging.usage.calls, judging.usage.cache_hits) == (6, 3)


def test_a_panel_takes_the_median_and_reports_who_disagrees(bench):
    kind = Judge(score=lambda pair: 10)
    with JudgeServer() as strict, JudgeServer(judge=kind) as lenient, JudgeServer(judge=kind) as other:
        panel = f"endpoint:a@{strict.url}/v1,endpoint:b@{lenient.url}/v1,endpoint:c@{other.url}/v1"
        judging = bench.judge(panel)
        # Each member's verdicts are its own: alone, it need not be asked again.
        alone = bench.judge(f"endpoint:a@{strict.url}/v1")
    assert scores(judging) == [1.0, 1.0, 1.0]
    assert scores(alone) == TRUE_SCORES
    assert alone.usage.calls == 0
    found = noise(*as_rows(judging, Counter(PAIRS)), lambda metric: 0.8)
    assert (found.disagreed_pairs, found.flipped_pairs) == (1, 0)


def test_a_panel_lacks_a_vote_if_a_member_is_down(bench):
    with JudgeServer() as up, JudgeServer(repeat(Status(404))) as down:
        judging = bench.judge(f"endpoint:a@{up.url}/v1,endpoint:b@{down.url}/v1,rubric")
    assert scores(judging) == [None] * 3
    assert all("answered 404" in error for error in errors(judging))


def test_confirmations_are_shown_and_never_counted(bench):
    answers = {"rec.autos": [said(0), said(10), said(9), said(0)]}
    with JudgeServer(answers) as server:
        judging = bench.judge(spec("endpoint", server.url), confirm_failures=3)
        actuals = Counter(call.pair.actual for call in server.calls)
    assert scores(judging) == TRUE_SCORES
    assert actuals == {"sci.space": 1, "sci.med": 1, "rec.autos": 4}
    assert [vote.verdict.score for vote in judging.verdicts[PAIRS[1]].confirmations] == [1.0, 0.9, 0.0]
    found = noise(*as_rows(judging, Counter({PAIRS[1]: 4})), lambda metric: 0.8)
    assert (found.confirmed_pairs, found.overturned_pairs, found.overturned_samples) == (1, 1, 4)


@pytest.mark.parametrize("repeats", [1, 5])
def test_confirming_failures_would_raise_the_rate_and_symmetric_repeats_do_not(bench, repeats):
    """Why confirmations do not count: a judge that tosses a coin passes half of all pairs, not three quarters."""
    pairs = distinct(120)
    coin = cycle([said(10), said(0), said(0), said(10), said(0), said(10), said(10)])
    with JudgeServer(coin) as server:
        judging = bench.judge(spec("endpoint", server.url), pairs, repeats=repeats, judge_concurrency=8)
    assert 0.35 < sum(score >= 0.8 for score in scores(judging)) / 120 < 0.75


# -- money ------------------------------------------------------------------------


@pytest.mark.parametrize("concurrency", [1, 16])
def test_max_calls_is_never_exceeded_and_the_next_run_goes_on(bench, concurrency):
    pairs = distinct(50)
    given = {"max_calls": 20, "judge_concurrency": concurrency}
    with JudgeServer(judge=Judge(latency=0.01)) as server:
        judging = bench.judge(spec("endpoint", server.url), pairs, **given)
        assert len(server.calls) == 20
        assert judging.stopped == "--max-calls 20 is reached"
        assert Counter(scores(judging)) == {1.0: 20, None: 30}
        assert "not asked: --max-calls 20 is reached" in errors(judging)
        bench.judge(spec("endpoint", server.url), pairs, **given)
        last = bench.judge(spec("endpoint", server.url), pairs, **given)
        assert len(server.calls) == 50
    assert scores(last) == [1.0] * 50


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(limit=st.floats(0.001, 0.02), concurrency=st.sampled_from([1, 8]))
def test_max_cost_is_never_exceeded(bench, limit, concurrency):
    bench.store.unlink(missing_ok=True)
    with JudgeServer() as server:
        judging = bench.judge(
            spec("endpoint", server.url),
            distinct(40),
            max_cost=limit,
            judge_price_in=1.0,
            judge_price_out=2.0,
            judge_concurrency=concurrency,
            preflight=True,
        )
    assert judging.usage.cost <= limit
    assert judging.usage.cost == pytest.approx((judging.usage.tokens_in + 2 * judging.usage.tokens_out) / 1e6)
    assert ("--max-cost" in str(judging.stopped)) == (None in scores(judging))


def test_tokens_are_those_of_the_server(bench):
    with JudgeServer() as server:
        judging = bench.judge(spec("endpoint", server.url))
    assert not judging.usage.tokens_estimated
    assert judging.usage.tokens_in > 1000
    assert judging.usage.cost is None


def test_a_dry_run_asks_nobody(evals):
    data = evals.data([("sci.space", "sci.space")] * 5 + [("rec.autos", "sci.space")] * 5)
    with JudgeServer() as server:
        judge = ["--judge", spec("endpoint", server.url)]
        run = evals.run(*data, *judge, "--dry-run", "--judge-price-in", "1")
        assert run.exit_code == 0, run.output
        assert "dry run: 2 distinct judgements, 0 of them in the store; 2 calls, about " in run.output
        assert "by the given prices, and one to five calls for the preflight" in run.output
        assert server.calls == []
        assert not (run.folder / "report.json").exists()
        evals.run(*data, *judge)
        assert "2 of them in the store; 0 calls, about 0 tokens in" in evals.run(*data, *judge, "--dry-run").output


def test_a_dry_run_under_xdist(evals):
    run = evals.run("-n", "2", "--dry-run", pairs=[("sci.space", "sci.space"), ("rec.autos", "rec.autos")])
    assert run.exit_code == 0, run.output
    assert "dry run: 2 distinct judgements" in run.output


# -- misleading the judge ------------------------------------------------------------


def gullible(pair):
    """A judge that gives ten points to whoever asks for them."""
    return 10 if "score" in pair.actual or pair.actual == pair.expected else 0


def test_probes_tell_a_gullible_judge_from_a_firm_one(bench):
    with JudgeServer(judge=Judge(score=gullible)) as misled, JudgeServer() as firm:
        found = [bench.probe(f"endpoint:{name}@{url}/v1") for name, url in (("a", misled.url), ("b", firm.url))]
    asking = sum("score" in probe.attack for probe in PROBES)
    assert [sum(result.succeeded for result in probed.results) for probed in found] == [asking, 0]
    assert asking > 5


def test_a_lenient_judge_is_not_called_misled(bench):
    with JudgeServer(judge=Judge(score=lambda pair: 10)) as server:
        probed = bench.probe(spec("endpoint", server.url))
    assert probed.control == 1.0
    assert not any(result.succeeded for result in probed.results)


def test_no_probe_reaches_the_parser_as_a_verdict(bench):
    """A judge that repeats the text under test in front of its verdict gives no verdict at all."""
    attack = next(probe for probe in PROBES if probe.name == "fake verdict").judgement
    with JudgeServer(repeat(Answer(attack.actual + "\n{answer}"))) as server:
        judging = bench.judge(spec("endpoint", server.url), [attack])
    assert scores(judging) == [None]


# -- through the whole run ------------------------------------------------------------


@pytest.mark.parametrize("kind", ["endpoint", "ollama"])
def test_a_run_with_everything_in_the_store_needs_no_server(evals, kind):
    data = evals.data([("sci.space", "sci.space")] * 30 + [("rec.autos", "sci.space")])
    with JudgeServer() as server:
        first = evals.run(*data, "--judge", spec(kind, server.url))
        url = server.url
    assert first.exit_code == 0, first.output
    assert first.report["run"]["preflight"][0]["score"] == 1.0
    again = evals.run(*data, "--judge", spec(kind, url))
    assert again.exit_code == 0, again.output
    assert (again.usage["calls"], again.usage["preflight_calls"], again.usage["cache_hits"]) == (0, 0, 2)


def test_a_judge_that_cannot_be_reached_stops_the_run_before_any_work(evals):
    with JudgeServer() as server:
        url = server.url
    run = evals.run("--judge", spec("endpoint", url), pairs=[("sci.space", "sci.space"), ("rec.autos", "rec.autos")])
    assert run.exit_code == 4
    assert f"ERROR: --judge endpoint:judge@{url}/v1: {url}/v1: cannot connect" in run.output
    assert "Traceback" not in run.output


def test_a_run_that_was_stopped_is_incomplete_and_says_how_to_go_on(evals):
    rows = [(f"c{number}", f"c{number}") for number in range(20)]
    with JudgeServer() as server:
        run = evals.run("--judge", spec("endpoint", server.url), "--max-calls", "11", pairs=rows)
    assert run.exit_code == 1
    assert run.verdict["outcome"] == "incomplete"
    assert run.report["tally"] == {"passed": 10, "failed": 0, "unscored": 10}
    assert "judging stopped: --max-calls 11 is reached; what was answered is stored, the same command" in run.output


def test_repeats_and_probes_stand_in_the_report(evals):
    with JudgeServer(judge=Judge(score=gullible)) as server:
        options = ["--judge", spec("endpoint", server.url), "--repeats", "3", "--probe-judge"]
        run = evals.run(*options, pairs=[("sci.space", "sci.space")] * 30 + [("rec.autos", "sci.space")])
    assert run.exit_code == 0, run.output
    assert (run.report["noise"]["pairs"], run.report["noise"]["flip_rate"]) == (2, 0.0)
    assert [len(pair["votes"]) for pair in run.report["pairs"]] == [3, 3]
    assert run.report["probes"]["succeeded"] > 5
    assert "attempts to mislead the judge succeeded" in run.output
    assert "repeats: 0 of 2 pairs flipped" in run.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--repeats", "2"], "--repeats is '2': must be odd"),
        (["--repeats", "3", "--confirm-failures", "3"], "--repeats and --confirm-failures exclude each other"),
        (["--max-cost", "1"], "--max-cost needs --judge-price-in"),
        (["--score-mode", "weighted"], "the rubric judge has no token probabilities"),
        (["--judge-concurrency", "0"], "--judge-concurrency is '0'"),
    ],
)
def test_impossible_settings(evals, options, message):
    run = evals.run(*options, pairs=[("a", "a"), ("b", "b")])
    assert run.exit_code == 4
    assert message in run.output


def test_max_cost_that_cannot_pay_for_one_question(bench):
    with JudgeServer() as server, pytest.raises(UserError, match="--max-cost 1e-09 would be exceeded"):
        bench.preflight(spec("endpoint", server.url), max_cost=1e-9, judge_price_in=1.0)
    assert server.calls == []

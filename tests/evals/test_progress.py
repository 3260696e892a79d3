"""What a user sees while an evaluation predicts and judges."""

import io
import re
from collections import Counter
from dataclasses import replace
from itertools import chain, repeat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from statsmodels.stats.proportion import proportion_confint

from evals.judges import Judgement, open_judges
from evals.judging import Jury
from evals.progress import Judged, Predicted, RunningCount, TerminalDisplay
from evals.progress.words import running_line, totals_line
from evals.settings import Settings
from evals.verdicts import Verdict, VerdictStore
from evals.votes import Vote, count_votes
from fixtures.judge_server import Answer, Judge, JudgeServer, Status
from tests.evals.judge_bench import PAIRS, spec
from tests.evals.terminal import Screen, run_in_terminal

HALFWAY = Judged(
    total=380, done=212, known=120, unscored=3, errors=3, passed=1500, scored=1700, latency=1.21, cost=0.1234
)


# -- words --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            999,
            "judging 212 of 380 pairs (120 stored), 88.2% pass so far (86.6% to 89.7%), 1.2 s/call, "
            "3 judge errors, cost 0.12, 0:41 left",
        ),
        (
            108,
            "judging 212 of 380 pairs, 88.2% pass so far (86.6% to 89.7%), 1.2 s/call, 3 judge errors, 0:41 left",
        ),
        (80, "judging 212/380, 88.2% pass so far (86.6-89.7%), 1.2 s/call, 3 errors, 0:41 left"),
        (71, "judging 212/380, 88.2% pass so far (86.6-89.7%), 3 errors, 0:41 left"),
        (40, "212/380, 88.2% so far, 3 errors, 0:41"),
        (20, "212/380, 0:41"),
    ],
)
def test_a_narrow_line_keeps_what_matters_most(width, line):
    assert running_line("judging", HALFWAY, elapsed=50, left=41, confidence=0.95).fit(width) == line


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (
            999,
            "judging: 380 pairs (120 stored) in 75.0 s, 88.2% pass (86.6% to 89.7%), 1.2 s/call, "
            "3 judge errors, cost 0.12, 3 unscored",
        ),
        (73, "judging: 380 pairs (120 stored) in 75.0 s, 88.2% pass, 3 unscored"),
        (40, "judging: 380, 88.2% pass, 3 unscored"),
    ],
)
def test_narrow_totals_keep_what_matters_most(width, line):
    assert totals_line("judging", replace(HALFWAY, done=380), elapsed=75, confidence=0.95).fit(width) == line


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        (Predicted(7532, 3200, known=0), "predicting 3,200 of 7,532 samples, 0:12 elapsed"),
        (Predicted(7532, 3200, known=100), "predicting 3,200 of 7,532 samples (100 known), 0:12 elapsed"),
        (Judged(9, 1, latency=0.34), "predicting 1 of 9 pairs, 340 ms/call, 0:12 elapsed"),
        (Judged(9, 1, latency=12.3), "predicting 1 of 9 pairs, 12 s/call, 0:12 elapsed"),
        (Judged(9, 1, errors=1), "predicting 1 of 9 pairs, 1 judge error, 0:12 elapsed"),
        (Judged(9, 1, cost=1234.5), "predicting 1 of 9 pairs, cost 1,234.50, 0:12 elapsed"),
    ],
)
def test_only_what_is_known_is_said(shown, words):
    assert running_line("predicting", shown, elapsed=12, left=None, confidence=0.95).fit() == words


@pytest.mark.parametrize(("left", "words"), [(0.4, "0:00"), (59.6, "1:00"), (754, "12:34"), (3723, "1:02:03")])
def test_the_time_left(left, words):
    assert running_line("judging", HALFWAY, elapsed=0, left=left, confidence=0.95).fit().endswith(f", {words} left")


@given(st.integers(1, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_the_interval_is_the_one_of_the_report(counts, confidence):
    passed, scored = counts
    shown = replace(HALFWAY, passed=passed, scored=scored)
    low, high = proportion_confint(passed, scored, alpha=1 - confidence, method="wilson")
    found = re.search(
        r"([\d.]+)% pass so far \(([\d.]+)% to ([\d.]+)%\)",
        running_line("judging", shown, elapsed=0, left=None, confidence=confidence).fit(),
    )
    assert [float(figure) / 100 for figure in found.groups()] == pytest.approx(
        [passed / scored, low, high], abs=0.00051
    )


counts = st.integers(0, 10**7)
snapshots = st.one_of(
    st.builds(Predicted, counts, counts, counts),
    st.builds(
        lambda passed, failed, **given: Judged(passed=passed, scored=passed + failed, **given),
        counts,
        counts,
        total=counts,
        done=counts,
        known=counts,
        unscored=counts,
        errors=counts,
        latency=st.none() | st.floats(0, 1e5),
        cost=st.none() | st.floats(0, 1e9),
    ),
)
seconds = st.floats(0, 1e7)


@given(snapshots, st.integers(0, 250), seconds, st.none() | seconds)
def test_no_line_is_wider_than_the_terminal(shown, width, elapsed, left):
    running = running_line("judging failures again", shown, elapsed=elapsed, left=left, confidence=0.95).fit(width)
    totals = totals_line("judging failures again", shown, elapsed=elapsed, confidence=0.95).fit(width)
    assert max(len(running), len(totals)) <= width
    assert (running + totals).isascii()
    # Two numbers of eight digits are all that is left in the end.
    assert width < 21 or f"{shown.done:,}/{shown.total:,}" in running.replace(" of ", "/")


# -- a log, and time ------------------------------------------------------------------


class Clock:
    """Time that passes when a test says so."""

    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lines():
    return []


@pytest.fixture
def log(lines, clock):
    return TerminalDisplay(lines.append, None, confidence=0.95, clock=clock)


def test_a_log_gets_a_line_every_15_seconds_and_the_totals(log, lines, clock):
    show = log.stage("judging", 1000)
    for done in range(1001):
        show(Judged(1000, done))
        clock.now += 0.125
    times = ["1:50", "1:35", "1:20", "1:05", "0:50", "0:35", "0:20", "0:05"]
    assert lines == [
        *(f"evals: judging {120 * n} of 1,000 pairs, {left} left" for n, left in enumerate(times, 1)),
        "evals: judging: 1,000 pairs in 125.0 s",
    ]


def test_stored_pairs_do_not_speed_up_the_time_left(log, lines, clock):
    show = log.stage("judging", 400)
    show(Judged(400, 300, known=300))
    clock.now += 20
    show(Judged(400, 310, known=300))
    assert lines == ["evals: judging 310 of 400 pairs (300 stored), 3:00 left"]


def test_loading_the_model_does_not_slow_down_the_time_left(log, lines, clock):
    advance = log.predicting(100)
    advance(20)
    clock.now += 500
    advance(10)
    clock.now += 20
    advance(10)
    assert lines == [
        "evals: predicting 30 of 100 samples (20 known), 8:20 elapsed",
        "evals: predicting 40 of 100 samples (20 known), 2:00 left",
    ]


@pytest.mark.parametrize(
    ("told", "totals"),
    [
        ([Judged(3, 3, known=3)], "judging: 3 pairs (all stored) in 0.0 s"),
        ([Judged(3, 1), Judged(3, 3, unscored=2, errors=1)], "judging: 3 pairs in 0.0 s, 1 judge error, 2 unscored"),
    ],
)
def test_a_stage_ends_with_one_line(log, lines, told, totals):
    show = log.stage("judging", 3)
    for shown in told:
        show(shown)
    log.close()
    assert lines == [f"evals: {totals}"]


def test_a_stage_without_pairs_says_nothing(log, lines):
    log.stage("judging", 0)(Judged(0, 0))
    assert lines == []


def test_a_stage_that_is_broken_off_says_how_far_it_came(log, lines):
    log.stage("judging", 3)(Judged(3, 1))
    log.close()
    assert lines == ["evals: judging broken off: 1 of 3 pairs in 0.0 s"]


def test_no_pass_rate_without_a_confidence(lines):
    TerminalDisplay(lines.append, None).stage("probing the judge", 9)(Judged(9, 9, passed=5, scored=9))
    assert lines == ["evals: probing the judge: 9 pairs in 0.0 s"]


@pytest.fixture
def screen():
    """A display on a terminal of 80 columns, and the screen when it is done."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=80, legacy_windows=False, _environ={"TERM": "xterm"})
    display = TerminalDisplay(lambda line: file.write(f"{line}\n"), console, confidence=0.95, clock=Clock())

    def finish():
        display.close()
        # As a terminal's driver does it.
        return Screen(80, file.getvalue().replace("\n", "\r\n"))

    return display, finish


def test_a_failure_takes_the_live_line_down(screen):
    display, finish = screen
    display.stage("judging", 380)(HALFWAY)
    shown = finish()
    assert any("judging 212/380" in line for line in shown.erased)
    assert shown.cursor_shown
    assert shown.rows == ["evals: judging broken off: 212 of 380 pairs in 0.0 s, 88.2% pass, 3 unscored", ""]


def test_a_line_that_is_said_meanwhile_stands_above_the_live_one(screen):
    display, finish = screen
    show = display.stage("judging", 380)
    show(HALFWAY)
    display.say("by the way")
    show(replace(HALFWAY, done=213))
    shown = finish()
    assert any("judging 213/380" in line for line in shown.erased)
    assert shown.rows[0] == "evals: by the way"
    assert len(shown.rows) == 3


def test_a_stage_that_never_ended_makes_way_for_the_next(screen):
    display, finish = screen
    display.stage("judging", 380)(HALFWAY)
    display.stage("judging failures again", 1)(Judged(1, 1))
    shown = finish()
    assert [row.split(":")[1] for row in shown.rows[:2]] == [" judging broken off", " judging failures again"]
    assert shown.cursor_shown


# -- counting ---------------------------------------------------------------------------


class NeverAllAtOnce(dict):
    """Samples by pair that cannot be gone through."""

    def _refuse(self, *arguments):
        raise AssertionError("all samples were looked at")

    __iter__ = keys = values = items = _refuse


scores_of_pairs = st.lists(
    st.tuples(st.integers(1, 50), st.lists(st.none() | st.sampled_from([0.0, 0.5, 0.8, 1.0]), min_size=3, max_size=3)),
    max_size=20,
)


@given(scores_of_pairs, st.randoms())
def test_the_running_count_ends_at_the_tally_of_the_report(drawn, random):
    pairs = [Judgement(f"c{number}", "x") for number in range(len(drawn))]
    samples = NeverAllAtOnce(zip(pairs, (number for number, _ in drawn), strict=True))
    count = RunningCount(dict.fromkeys(pairs, 3), samples, threshold=lambda pair: 0.8)
    votes = {
        pair: [
            Vote("judge", repeat, Verdict(score, "", None if score is not None else "no"))
            for repeat, score in enumerate(given)
        ]
        for pair, (_, given) in zip(pairs, drawn, strict=True)
    }
    order = [(pair, vote) for pair in pairs for vote in votes[pair]]
    random.shuffle(order)
    for pair, vote in order:
        count.add(pair, vote)

    found = count.snapshot(cost=None)

    final = {pair: count_votes(votes[pair]).score for pair in pairs}
    assert found == Judged(
        total=len(pairs),
        done=len(pairs),
        unscored=sum(score is None for score in final.values()),
        scored=sum(samples[pair] for pair, score in final.items() if score is not None),
        passed=sum(samples[pair] for pair, score in final.items() if score is not None and score >= 0.8),
    )


def test_a_pair_counts_when_all_its_votes_are_in():
    count = RunningCount({PAIRS[0]: 2}, {PAIRS[0]: 7}, threshold=lambda pair: 0.8)
    seen = []
    for number in range(2):
        count.add(PAIRS[0], Vote("judge", number, Verdict(1.0, "", None)))
        seen.append(count.snapshot(cost=None))
    assert [(shown.done, shown.passed) for shown in seen] == [(0, 0), (1, 7)]


@pytest.fixture
def judged(bench):
    """Judges pairs and returns the stages by title, each with all its snapshots, and the result."""

    def judge(judge, pairs, **given):
        stages = {}

        def stage(title, total):
            return stages.setdefault((title, total), []).append

        settings = Settings(judge=judge, judge_retries=0, judge_concurrency=2, **given)
        with VerdictStore(bench.store) as store, Jury(open_judges(settings), store, settings) as jury:
            return stages, jury.judge(pairs, stage)

    return judge


def test_the_last_snapshot_is_what_the_run_reports(judged):
    pairs = [PAIRS[0]] * 50 + [PAIRS[1]] * 30 + [PAIRS[2]] * 20
    with JudgeServer({"sci.med": repeat(Status(400))}, Judge(latency=0.02)) as server:
        stages, result = judged(spec("endpoint", server.url), pairs, judge_price_in=1.0)
    (((title, total), seen),) = stages.items()
    assert (title, total, [shown.done for shown in seen]) == ("judging", 3, [0, 1, 2, 3])
    last = seen[-1]
    assert (last.passed, last.scored, last.unscored, last.errors) == (50, 80, 1, 1)
    assert last.cost == result.usage.cost > 0
    assert last.latency == pytest.approx(result.usage.latency_median)


def test_stored_verdicts_are_told_apart(judged):
    with JudgeServer() as server:
        judged(spec("endpoint", server.url), PAIRS[:2])
        stages, _ = judged(spec("endpoint", server.url), PAIRS, repeats=1)
    assert [(shown.done, shown.known) for shown in stages["judging", 3]] == [(2, 2), (3, 2)]


def test_pairs_that_were_never_asked_about_are_no_errors(judged):
    with JudgeServer(repeat(Status(404))) as server:
        stages, result = judged(spec("endpoint", server.url), [Judgement(f"c{n}", "x") for n in range(40)])
    assert "answered 404" in result.stopped
    last = stages["judging", 40][-1]
    assert last.unscored == 40
    assert 1 <= last.errors <= 8


def test_judging_failures_again_moves_no_pass_rate(judged):
    with JudgeServer() as server:
        stages, _ = judged(spec("endpoint", server.url), PAIRS, confirm_failures=3)
    assert [shown.done for shown in stages["judging failures again", 1]] == [0, 0, 0, 1]
    assert {shown.scored for shown in stages["judging failures again", 1]} == {0}


# -- real runs, on a real terminal --------------------------------------------------------

PYTEST = ("-m", "pytest", "evals")
DEEPEVAL = ("-c", "from deepeval.cli.main import app; app()", "test", "run", "evals")
# As a user would see it after 15 seconds, in less.
IMPATIENT = (
    "-c",
    "import sys, pytest; from evals.progress import stage; stage.LOG_SECONDS = 0.3;"
    "sys.exit(pytest.main(['evals', *sys.argv[1:]]))",
)


@pytest.fixture
def options(evals):
    """Of an evaluation that asks about 40 pairs, two thirds of 120 samples right."""
    rows = [(f"c{n}", f"c{n + wrong}") for n in range(20) for wrong in (0, 0, 0, 0, 1, 1)]
    return [*evals.data(rows), "-p", "no:cacheprovider", "--save-to", str(evals.out), "--judge-concurrency", "2"]


def judge_of(server):
    return ["--judge", spec("endpoint", server.url), "--judge-retries", "0"]


def live_lines(shown):
    return [line for line in shown.screen.erased if "judging" in line or "so far" in line]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "more", "columns"),
    [(PYTEST, [], 120), (PYTEST, [], 40), (PYTEST, ["-n", "2"], 80), (DEEPEVAL, [], 80)],
    ids=["pytest-120", "pytest-40", "xdist-80", "deepeval-80"],
)
def test_a_live_line_in_a_terminal_and_nothing_of_it_left(options, command, more, columns):
    with JudgeServer(judge=Judge(latency=0.1)) as server:
        shown = run_in_terminal([*command, *options, *judge_of(server), *more], columns, {})

    lines = live_lines(shown)
    assert len(lines) > 5
    assert max(map(len, lines)) <= columns
    midway = lines[len(lines) // 2]
    details = r"% pass so far.*\), 1\d\d ms/call, " if columns > 40 else "% (pass )?so far, "
    assert re.search(r"\d+( of |/)40.*\d" + details + r"0:0\d left$", midway), midway
    assert shown.exit_code == 1
    assert shown.screen.cursor_shown
    assert "so far" not in shown.final
    assert "━" not in shown.final
    assert len(re.findall(r"evals: judging: 40 pairs.*, 66\.7% pass", shown.final)) == 1


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_ctrl_c_takes_the_live_line_down(options, workers):
    with JudgeServer(judge=Judge(latency=0.5)) as server:
        command = [*PYTEST, *options, *judge_of(server), "-n", workers]
        shown = run_in_terminal(command, 80, {}, interrupt_at=r"judging [2-9]/40")

    assert shown.exit_code == 2
    assert live_lines(shown)
    assert shown.screen.cursor_shown
    assert "so far" not in shown.final
    assert re.search(r"^evals: judging broken off: \d+ of 40 pairs in", shown.final, re.MULTILINE)
    assert "KeyboardInterrupt" in shown.final


@pytest.mark.slow
def test_a_judge_that_fails_in_the_middle(options):
    script = chain(repeat(Answer(), 15), repeat(Status(404)))
    with JudgeServer(script, Judge(latency=0.1)) as server:
        shown = run_in_terminal([*PYTEST, *options, *judge_of(server)], 80, {})

    assert live_lines(shown)
    assert shown.screen.cursor_shown
    assert "so far" not in shown.final
    assert re.search(r"^evals: judging: 40 pairs in .*, 2\d unscored$", shown.final, re.MULTILINE)


@pytest.mark.slow
@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_a_terminal_that_is_to_be_plain(options, environment):
    shown = run_in_terminal([*PYTEST, *options], 80, environment)
    assert "\x1b" not in shown.raw
    assert shown.raw.count("evals: judging: 40 pairs") == 1


@pytest.mark.slow
def test_a_quiet_run_shows_no_live_line(options):
    shown = run_in_terminal([*PYTEST, *options, "-q"], 80, {})
    assert shown.screen.erased == []
    assert "judging:" not in shown.raw


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_line_now_and_then_in_a_log(evals, options, workers):
    with JudgeServer(judge=Judge(latency=0.1)) as server:
        run = evals.run_process(*options, *judge_of(server), "-n", workers, command=IMPATIENT, plain=True)

    assert "\x1b" not in run.output
    assert "\r" not in run.output
    lines = re.findall(
        r"^evals: judging \d+ of 40 pairs, [\d.]+% pass so far .*, 0:0\d left$", run.output, re.MULTILINE
    )
    # 40 pairs take 2 seconds.
    assert 3 <= len(lines) <= 10
    assert len(re.findall(r"^evals: judging: 40 pairs in", run.output, re.MULTILINE)) == 1
    assert Counter(lines).most_common(1)[0][1] == 1

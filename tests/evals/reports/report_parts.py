"""Parts of made-up reports: texts, samples, a judge, a run."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

from evals.classic import classic_metrics
from evals.gate import Evidence, Gate, Tally, evaluate_gate
from evals.judges.ledger import Usage
from evals.reports.model import Report
from evals.reports.rows import CategoryRow, PassRate, SampleRow
from evals.reports.run import PreflightInfo, RunInfo
from evals.reports.subject import DatasetInfo, JudgeInfo, JudgeMember, ModelInfo
from evals.reports.trust import JudgeTruth, RateInfo
from evals.settings import GatePolicy, Settings
from evals.statistics import wilson

_CATEGORIES = """
alt.atheism comp.graphics comp.os.ms-windows.misc comp.sys.ibm.pc.hardware comp.sys.mac.hardware comp.windows.x
misc.forsale rec.autos rec.motorcycles rec.sport.baseball rec.sport.hockey sci.crypt sci.electronics sci.med sci.space
soc.religion.christian talk.politics.guns talk.politics.mideast talk.politics.misc talk.religion.misc
"""
_WORDS = """
the of and a to in is that it was for on as with his be at by this had not are but from or have an they which one you
were her all she there would their we him been has when who will more no if out so said what up its about orbit engine
encryption playoffs graphics doctor government church battery window motorcycle price shipping Größe Straße für über
宇宙 医療 電子回路
"""
CATEGORIES = _CATEGORIES.split()


def text(number: int, length: int = 1000) -> str:
    """A text like news: a header, quotes, paragraphs."""
    source, words = random.Random(number), _WORDS.split()
    lines = [f"From: reader{number}@example.org", f"Subject: Re: {' '.join(source.choices(words, k=5))}", ""]
    while sum(map(len, lines)) < length:
        quote = source.choice(["", "", "> "])
        lines.append(quote + " ".join(source.choices(words, k=source.randint(6, 12))))
    return "\n".join(lines)[:length]


def samples(
    count: int, *, right: float = 0.83, unscored: int = 0, texts: Sequence[str] | None = None, seed: int = 7
) -> list[SampleRow]:
    """``count`` samples over all categories, a share ``right`` of which are answered right."""
    source = random.Random(seed)
    rows = []
    for number in range(count):
        place = number % len(CATEGORIES)
        # Some categories are harder than others.
        wrong = (1 - right) * (1 + 0.9 * (place * 7 % 11 / 5 - 1))
        predicted = _mistake(CATEGORIES[place], source) if source.random() < wrong else CATEGORIES[place]
        body = texts[number % len(texts)] if texts else text(number, source.randint(200, 1000))
        row = _judged(CATEGORIES[place], predicted, body, number, source)
        if number % 9 == 4 and unscored:
            unscored -= 1
            raw = '{"reason": "The output names' if unscored % 3 else None
            error = "the judge's answer is no verdict: score is missing" if raw else "no answer within 120 s"
            row = row.model_copy(update={"state": "unscored", "score": None, "reason": "", "error": error, "raw": raw})
        rows.append(row)
    return rows


def _family(category: str) -> str:
    return category.split(".")[0]


def _mistake(expected: str, source: random.Random) -> str:
    """Another category, most often a neighbour, or an answer that is none."""
    others = [name for name in CATEGORIES if name != expected]
    neighbours = [name for name in others if _family(name) == _family(expected)]
    return source.choice(neighbours * 4 + others + ["I am not sure, maybe space?"])


def _judged(expected: str, predicted: str, body: str, number: int, source: random.Random) -> SampleRow:
    if predicted == expected:
        score, reason = 1.0, "The actual output is exactly the expected category."
    elif _family(predicted) == _family(expected):
        score = source.choice([0.4, 0.5, 0.5, 0.6])
        reason = (
            f"The actual output ({predicted}) and the expected category ({expected}) are related, but not the same."
        )
    else:
        score = source.choice([0.0, 0.0, 0.1, 0.2])
        reason = f"The actual output ({predicted}) and the expected category ({expected}) are unrelated."
    digest = hashlib.sha256(f"{number} {body}".encode()).hexdigest()
    return SampleRow(
        id=f"{expected.replace('.', '-')}-{digest[:8]}",
        expected=expected,
        predicted=predicted,
        prediction_score=round(source.uniform(0.4, 1.0), 4),
        state="passed" if score >= 0.8 else "failed",
        score=score,
        reason=reason,
        error=None,
        raw=None,
        digest=digest,
        text=body[:1000],
    )


def report(
    rows: Sequence[SampleRow], *, policy: GatePolicy | None = None, gate: Gate | None = None, **given: Any
) -> Report:
    """A report on these samples; ``given`` replaces its parts."""
    policy = policy or GatePolicy()
    names = sorted({row.expected for row in rows})
    tally = tally_of(rows)
    gate = gate or evaluate_gate(Evidence(tally), policy)
    parts: dict[str, Any] = {
        "gate": gate,
        "complete": gate.outcome != "not evaluated",
        "tally": tally,
        "pass_rate": _pass_rate(tally, policy),
        "classic": classic_metrics([row.expected for row in rows], [row.predicted for row in rows]),
        "dataset": DatasetInfo(
            name="20newsgroups", digest="5f" * 32, remove=["headers"], total=7532, drawn=len(rows), dropped={"empty": 3}
        ),
        "model": ModelInfo(source="model", digest="ab" * 32, base_model="all-MiniLM-L6-v2", training=TRAINING),
        "judge": judge(),
        "settings": Settings().model_dump(mode="json"),
        "categories": [
            CategoryRow(
                category=name,
                tally=(part := tally_of([row for row in rows if row.expected == name])),
                pass_rate=_pass_rate(part, policy),
            )
            for name in names
        ],
        "samples": list(rows),
        "pairs": [],
        "judge_truth": TRUTH,
        "baseline": None,
        "noise": None,
        "probes": None,
        "run": run(),
    }
    return Report(**parts | given)


def tally_of(rows: Sequence[SampleRow]) -> Tally:
    counts = Counter(row.state for row in rows)
    return Tally(passed=counts["passed"], failed=counts["failed"], unscored=counts["unscored"])


def _pass_rate(tally: Tally, policy: GatePolicy) -> PassRate:
    if not tally.scored:
        return PassRate(rate=None, low=None, high=None, confidence=policy.confidence)
    low, high = wilson(tally.passed, tally.scored, confidence=policy.confidence)
    return PassRate(rate=tally.passed / tally.scored, low=low, high=high, confidence=policy.confidence)


def judge(*specs: str, repeats: int = 1) -> JudgeInfo:
    specs = specs or ("openai:gpt-5-mini",)
    return JudgeInfo(
        spec=",".join(specs),
        members=[
            JudgeMember(
                spec=spec,
                model=spec.split(":")[-1],
                is_llm=spec != "rubric",
                identity={"kind": spec.split(":")[0], "sampling": {"temperature": 0.0, "max_tokens": 1024}},
            )
            for spec in specs
        ],
        metric="CategoryPrecision",
        metric_fingerprint="c0ffee" * 10,
        score_mode="raw",
        threshold=0.8,
        repeats=repeats,
        confirm_failures=0,
        distinct_pairs=143,
    )


def run(**given: Any) -> RunInfo:
    parts: dict[str, Any] = {
        "started": "2026-07-03T13:58:11+00:00",
        "finished": "2026-07-03T14:02:40+00:00",
        "seconds": 269.4,
        "prediction_seconds": 182.7,
        "judging_seconds": 61.2,
        "judging_stopped": None,
        "usage": Usage(
            calls=143,
            preflight_calls=1,
            retries=4,
            bad_answers=2,
            cache_hits=0,
            tokens_in=118_204,
            tokens_out=9_871,
            cost=0.0494,
            latency_median=1.31,
            latency_p95=3.8,
        ),
        "preflight": [
            PreflightInfo(
                judge="openai:gpt-5-mini",
                model="gpt-5-mini-2025-08-07",
                schema_by="json_schema",
                logprobs=False,
                seconds=1.4,
                score=1.0,
                problem=None,
                notes=["gives no token probabilities: --score-mode weighted is impossible"],
            )
        ],
        "host": "runner-7",
        "versions": {"python": "3.12.4", "newsjudge": "0.1.0", "deepeval": "4.3.1"},
    }
    return RunInfo(**parts | given)


TRUTH = JudgeTruth(
    true_pass=83,
    false_fail=2,
    false_pass=1,
    true_fail=14,
    sensitivity=RateInfo(rate=83 / 85, low=0.871, high=0.997, samples=85, pairs=20),
    specificity=RateInfo(rate=14 / 15, low=0.702, high=0.988, samples=15, pairs=12),
    confidence=0.95,
)


def _curves(steps: int) -> list[dict[str, float]]:
    """The rows of a training's ``curves.csv``: the loss falls, on other documents it rises in the end."""
    rows: list[dict[str, float]] = []
    for step in [1, *range(12, steps + 1, 12)]:
        done = step / steps
        noise = 0.06 * random.Random(step).uniform(-1, 1)
        row: dict[str, float] = {
            "step": step,
            "epoch": round(3 * done, 4),
            "train_loss": 0.35 + 2.6 * 0.02**done + noise,
        }
        if step % 144 == 0:
            accuracy = 0.8254 - 0.4 * 0.002**done
            row |= {
                "validation_loss": 0.6133 + 1.9 * (done - 1008 / steps) ** 2,
                "validation_accuracy": accuracy,
                "validation_macro_f1": accuracy - 0.04 * (1.2 - done),
            }
        rows.append(row)
    return rows


_FIGURES = {"documents": 1131, "loss": 0.6133, "accuracy": 0.8254, "macro_f1": 0.8191, "weighted_f1": 0.8248}
TRAINING = {
    "schema_version": 1,
    "baseline": "TF-IDF + logistic regression",
    "validation": {
        "model": _FIGURES,
        "baseline": _FIGURES | {"loss": 0.9126, "accuracy": 0.8117, "macro_f1": 0.8032, "weighted_f1": 0.8101},
    },
    "test": None,
    "training": {
        "steps": 1296,
        "epochs": 3,
        "best_step": 1008,
        "best_validation_loss": 0.6133,
        "seconds": 1411.9,
        "curves": _curves(1296),
    },
}

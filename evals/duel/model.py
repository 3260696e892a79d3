"""What ``duel.json`` holds. Its JSON Schema is ``duel.schema.json`` beside this file.

Only ``run`` differs between two runs on the same inputs. Differences are B less
A: above 0 they speak for B. Places and orders are those in which the judge was
shown the answers; it was never told whose they are.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from evals.calibration.model import KappaInfo, RaterAgreement
from evals.duel.orders import How, Outcome
from evals.judges.ledger import Usage
from evals.reports.as_json import json_of
from evals.reports.run import PreflightInfo
from evals.reports.subject import JudgeMember
from fixtures.contracts.files import sha256_text

__all__ = [
    "CandidateInfo",
    "CategoryResult",
    "DataInfo",
    "Duel",
    "DuelGate",
    "DuelRow",
    "DuelRun",
    "JudgeOfDuel",
    "OrderRow",
    "People",
    "PlaceInfo",
    "RaterResult",
    "Standing",
    "Tally",
    "pairs_digest",
]


def pairs_digest(a: str, b: str, data: str) -> str:
    """Of all pairs of answers, by the digests of candidates and data."""
    return sha256_text("\n".join([a, b, data]))


class _Part(BaseModel):
    # JSON cannot say NaN: what does not exist is null.
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class CandidateInfo(_Part):
    """One of the two. ``unanswered``: drawn rows that it could not answer; ``cut``: answers at the limit of tokens."""

    name: str
    kind: str
    digest: str
    unanswered: int
    cut: int
    notes: list[str]


class DataInfo(_Part):
    """The questions: ``rows`` in the file, of them ``copies`` of earlier ones left out, ``drawn`` from the rest."""

    name: str
    digest: str
    rows: int
    copies: int
    drawn: int
    seed: int


class JudgeOfDuel(_Part):
    """Who judged, by which question, how often in each order, and whether the reference was shown."""

    spec: str
    members: list[JudgeMember]
    metric: str
    metric_fingerprint: str
    score_mode: Literal["raw", "weighted"]
    repeats: int
    sees_reference: bool

    @property
    def is_llm(self) -> bool:
        """Whether any of the judges is one."""
        return any(member.is_llm for member in self.members)


class Tally(_Part):
    """Rows by outcome. ``identical`` ones are among the ties, ``unscored`` ones in no figure."""

    rows: int
    b_wins: int
    a_wins: int
    ties: int
    unscored: int
    identical: int

    @property
    def scored(self) -> int:
        """Rows with an outcome."""
        return self.rows - self.unscored


class Standing(_Part):
    """How much B is preferred to A. Intervals are two-sided at the duel's ``confidence``."""

    rows: int
    b_wins: int
    a_wins: int
    ties: int
    net: float = Field(description="(b_wins - a_wins) / rows: above 0 where B is preferred")
    net_low: float
    net_high: float
    win_rate: float = Field(description="B's wins with a tie as half a win, of all rows")
    win_rate_low: float
    win_rate_high: float
    decided_rate: float | None = Field(description="B's wins among the rows that are no tie; null without such rows")
    decided_low: float | None
    decided_high: float | None
    p_value: float = Field(description="sign test, two-sided, mid-p: is either preferred?")
    p_exact: float = Field(description="exact sign test, two-sided")


class PlaceInfo(_Part):
    """What exchanging the places did to the verdicts, on rows that were judged in both orders."""

    rows: int
    first_twice: int = Field(description="rows with the first place preferred in both orders")
    second_twice: int
    one_order_only: int = Field(description="rows with a preference in one order only")
    consistent: int = Field(description="rows with the same verdict in both orders")
    bias: float = Field(description="share of rows whose verdict followed the place: first_twice and second_twice")
    bias_low: float
    bias_high: float
    consistency: float
    consistency_low: float
    consistency_high: float
    p_value: float = Field(description="sign test, two-sided, mid-p: is one place preferred to the other?")


class CategoryResult(_Part):
    """One category; ``standing`` is null if none of its rows has an outcome."""

    category: str
    tally: Tally
    standing: Standing | None
    p_adjusted: float | None = Field(description="of the sign test, by Holm's method over all categories")


class RaterResult(_Part):
    """What one person said, with the duel's answers behind left and right."""

    rater: str
    rows: int
    b: int
    a: int
    ties: int


class People(_Part):
    """What people said of the same pairs of answers: on each row what most of them say, a tie where nothing is."""

    source: str
    standing: Standing
    identical: int = Field(description="rows of the sheet with identical answers: ties that nobody was asked about")
    raters: list[RaterResult]
    agreement: list[RaterAgreement] = Field(description="between every two raters")
    with_judge: KappaInfo | None = Field(description="between people and judge; null: no row in common")
    notes: list[str]


class DuelGate(_Part):
    """Is B no worse than A by more than ``margin``? Without a margin nothing was asked."""

    outcome: Literal["pass", "fail", "inconclusive", "incomplete", "not evaluated"]
    decided_by: Literal["judge", "people"]
    margin: float | None
    confidence: float = Field(description="of each bound, one-sided")
    difference: float | None
    low: float | None = Field(description="one-sided lower bound of B's net preference: passes from -margin on")
    high: float | None = Field(description="one-sided upper bound: below -margin it fails")
    max_unscored: int
    max_position_bias: float = Field(description="of the judge; with more, a pass is inconclusive")
    way_out: str = Field(description="what would decide it, in words; empty if it is decided")


class OrderRow(_Part):
    """The verdict in one order. ``score`` in 0..1, above 0.5 for the answer in the first place; null: ``error``."""

    first: Literal["A", "B"]
    score: float | None
    prefers: Literal["A", "B", "neither"] | None
    reason: str
    error: str | None
    scores: list[float] = Field(description="of all votes, where there were several")


class DuelRow(_Part):
    """One row with both answers; null where a candidate gave none."""

    id: str
    category: str
    question: str
    reference: str
    a: str | None
    b: str | None
    outcome: Outcome
    how: How
    orders: list[OrderRow] = Field(description="A's answer first, then B's first; empty where nobody was asked")
    error: str | None
    people: dict[str, Literal["A", "B", "tie"]] = Field(description="what each rater said")


class DuelRun(_Part):
    """What differs from run to run. Times are ISO 8601 in UTC, durations in seconds."""

    started: str
    finished: str
    seconds: float
    judging_seconds: float
    judging_stopped: str | None
    usage: Usage
    preflight: list[PreflightInfo]
    versions: dict[str, str]


class Duel(_Part):
    """Everything about one duel."""

    schema_version: Literal[1] = 1
    sentence: str
    gate: DuelGate
    a: CandidateInfo
    b: CandidateInfo
    data: DataInfo
    judge: JudgeOfDuel
    confidence: float
    tally: Tally
    standing: Standing | None = Field(description="null: no row has an outcome")
    places: PlaceInfo | None = Field(description="null: no row was judged in both orders")
    categories: list[CategoryResult]
    people: People | None
    rows: list[DuelRow]
    notes: list[str]
    run: DuelRun

    @property
    def digest(self) -> str:
        """Of the pairs of answers: what a sheet for raters was drawn from."""
        return pairs_digest(self.a.digest, self.b.digest, self.data.digest)

    def to_json(self) -> str:
        """As it stands in ``duel.json``."""
        return json_of(self)


if __name__ == "__main__":
    import json
    from pathlib import Path

    from fixtures.contracts.files import write_json

    write_json(
        Path(__file__).parent / "duel.schema.json",
        json.loads(json.dumps(Duel.model_json_schema(mode="serialization"))),
    )

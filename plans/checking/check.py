"""Each Plan as if it were applied after those before it: what Knitfab would answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from plans.checking.files import NamedPlan, read_text
from plans.checking.regrets import Regret, regrets_of_file, regrets_of_plan
from plans.knitfab.conflicts import equivalent, find_route
from plans.knitfab.receiving import received
from plans.knitfab.server import ServerRefused, accept
from plans.knitfab.source import CliRefused, read_plan
from plans.knitfab.validation import validated

__all__ = ["Checked", "check", "check_texts"]


@dataclass(frozen=True)
class Checked:
    """The answer to one file. ``rule``, ``line`` and ``message``, Knitfab's own, are None if it is valid."""

    file: Path
    verdict: Literal["valid", "invalid"]
    stage: Literal["cli", "server", "registered"]
    status: int
    rule: str | None = None
    line: int | None = None
    message: str | None = None
    hint: str | None = None
    warnings: tuple[Regret, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For other programs."""
        return {
            "file": str(self.file),
            "verdict": self.verdict,
            "stage": self.stage,
            "status": self.status,
            "rule": self.rule,
            "line": self.line,
            "message": self.message,
            "warnings": [warning._asdict() for warning in self.warnings],
        }


def check(files: Sequence[Path], registered: Sequence[Path] = ()) -> list[Checked]:
    """The answers to ``files`` in turn, each with those of ``registered`` and the valid ones before it in place.

    Raises UserError for a file that cannot be read, and for a registered Plan
    that cannot have been registered.
    """
    texts = [(file, read_text(file)) for file in files]
    plans: list[NamedPlan] = []
    for file in registered:
        answer = _check_one(file, read_text(file), plans)
        if answer.rule:
            place = f"{printable(str(file))}:{answer.line}"
            raise UserError(f"{place}: no registered Plan: Knitfab would refuse it ({answer.rule})")
    return check_texts(texts, plans)


def check_texts(texts: Sequence[tuple[Path, str]], registered: Sequence[NamedPlan] = ()) -> list[Checked]:
    """The answers to the texts of files."""
    plans = list(registered)
    return [_check_one(file, text, plans) for file, text in texts]


def _check_one(file: Path, text: str, plans: list[NamedPlan]) -> Checked:
    """The answer to one file, which joins ``plans`` if it is valid."""
    try:
        source = read_plan(text)
    except CliRefused as refusal:
        return Checked(file, "invalid", "cli", 0, refusal.rule, refusal.line, refusal.message)
    warnings = list(regrets_of_file(source))
    try:
        plan = accept(source.request, [other.plan for other in plans])
    except ServerRefused as refusal:
        return Checked(
            file,
            "invalid",
            "server",
            refusal.status,
            refusal.rule,
            source.line(refusal.where),
            refusal.message,
            _hint(refusal, source.request, file, plans),
            _in_order(warnings),
        )
    # In the order of the file, which has the lines.
    warnings += regrets_of_plan(received(source.request), source, plans)
    plans.append(NamedPlan(file, plan))
    return Checked(file, "valid", "registered", 200, warnings=_in_order(warnings))


def _in_order(warnings: list[Regret]) -> tuple[Regret, ...]:
    return tuple(sorted(warnings, key=lambda warning: warning.line))


def _hint(refusal: ServerRefused, request: dict[str, Any], file: Path, plans: Sequence[NamedPlan]) -> str | None:
    """Which other Plan is meant; Knitfab does not say."""
    if refusal.status != 409:
        return None
    plan = validated(received(request))
    if refusal.rule == "plan-equivalent":
        return f"the same Plan as {next(other.file for other in plans if equivalent(plan, other.plan))}"
    route = find_route(plan, plan, [other.plan for other in plans]) or []
    names = [next(other.file for other in plans if other.plan is step) for step in route[1:]]
    return "Data would go round: " + " -> ".join(str(name) for name in (file, *names, file))

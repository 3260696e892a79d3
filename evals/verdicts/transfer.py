"""Verdicts as lines of JSON, to be read by people and by other stores."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, InstanceOf, ValidationError

from evals.verdicts.rows import Record
from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable

__all__ = ["read_lines", "to_lines"]

# What files or terminals cannot bear, and what some programs take for the end of a line.
_UNFIT = re.compile("[\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# pydantic's own text type refuses lone surrogates.
_Text = InstanceOf[str]
_Tokens = Annotated[int, Field(ge=0, lt=2**63)] | None


class _Line(BaseModel):
    """One verdict: the columns of the store without the checksum."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False)

    key: str
    judge_kind: _Text
    judge_model: _Text
    judge: dict[str, Any]
    metric: str = Field(min_length=1)
    score_mode: Literal["raw", "weighted"]
    actual: _Text
    expected: _Text
    repeat: int = Field(ge=0, lt=2**63)
    score: float = Field(ge=0, le=1)
    reason: _Text
    raw: _Text
    tokens_in: _Tokens
    tokens_out: _Tokens
    seconds: float = Field(ge=0)
    served_model: _Text
    # From year 1 to 9999: what calendars can show.
    created: float = Field(ge=-62_135_596_800, lt=253_402_300_800)
    # Lines written before there were inputs have none.
    input: _Text = ""


def to_lines(records: Iterable[Record]) -> str:
    """One line for each record."""
    return "".join(_line(record.entry()) + "\n" for record in records)


def _line(entry: dict[str, Any]) -> str:
    text = json.dumps(entry, ensure_ascii=False)
    return json.dumps(entry) if _UNFIT.search(text) else text


def read_lines(data: bytes, name: str) -> dict[int, Record]:
    """Records by line number, all lines checked first.

    Raises UserError that tells every fault in the file ``name``.
    """
    records: dict[int, Record] = {}
    faults: list[str] = []
    first_line: dict[str, int] = {}
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            record = _read(line)
        except ValueError as error:
            faults += [f"  line {number}: {printable(fault)}" for fault in str(error).splitlines()]
            continue
        earlier = first_line.setdefault(record.asked.key, number)
        if earlier != number:
            faults.append(f"  line {number}: the same judgement as in line {earlier}")
        records[number] = record
    if faults:
        count = len({fault.split(":")[0] for fault in faults})
        lines_are = "1 line is" if count == 1 else f"{count} lines are"
        raise UserError(f"{name}: {lines_are} faulty; nothing was imported\n" + "\n".join(faults))
    return records


def _read(line: bytes) -> Record:
    """The record in a line. Raises ValueError, one line of text for each fault."""
    try:
        entry = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise ValueError("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise ValueError(f"not JSON: {error}") from error
    try:
        fields = _Line.model_validate(entry).model_dump()
    except ValidationError as error:
        raise ValueError("\n".join(_fault(dict(detail)) for detail in error.errors())) from error
    record = Record.from_entry(fields)
    derived = record.entry()
    wrong = [column for column in ("judge_kind", "judge_model") if derived[column] != fields[column]]
    if derived["key"] != fields["key"]:
        wrong.insert(0, f"key (computed: {derived['key']})")
    if wrong:
        raise ValueError(f"does not fit the rest of the line: {', '.join(wrong)}")
    return record


def _fault(detail: dict[str, Any]) -> str:
    place = ".".join(map(str, detail["loc"])) or "line"
    message = detail["msg"].replace("Input should be", "must be")
    shown = "" if detail["type"] == "missing" else f", not {json.dumps(detail['input'], default=str)[:80]}"
    return f"{place}: {message}{shown}"

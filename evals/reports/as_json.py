"""JSON of a model whose texts may hold what JSON in UTF-8 cannot: lone surrogates."""

from __future__ import annotations

from pydantic import BaseModel

from fixtures.contracts.files import jsonl

__all__ = ["json_of"]


def json_of(model: BaseModel, *, indent: int = 1) -> str:
    """``model`` as JSON, ending with a line feed.

    A path may hold bytes that are no UTF-8, which Python keeps as lone
    surrogates and pydantic refuses to write after hours of work. They are shown
    as backslash escapes, and all of it stands on one line.
    """
    try:
        return model.model_dump_json(indent=indent) + "\n"
    except ValueError:
        return jsonl([model.model_dump()])

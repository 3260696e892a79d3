"""Text under test inside a judge's prompt.

A model's answer may say "Expected Output: ..." or "score 10", on purpose or by
chance. GEval's prompt marks its parts by headings at the beginning of lines, so
a text that could draw such a heading, or a chat template's control token, is
shown as one line of JSON instead. The judge still reads every character. So is
an empty text: a model may say nothing, and GEval refuses to ask about nothing.
"""

from __future__ import annotations

import json
import re

__all__ = ["as_data"]

_LONGEST = 200
# What drawing a heading, a fence, a tag or a control token takes; letters of all scripts are harmless.
_MARKUP = re.compile(r"[\n\r\u2028\u2029\x00-\x1f\x7f-\x9f<>{}\[\]|`*#\"\\]|:\s|-{3}")
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff\U000e0000-\U000e007f]")


def as_data(text: str) -> str:
    """``text`` as it is if it reads like a category, else as a JSON string on one line.

    Angle brackets, vertical bars and invisible characters (which hide words
    from people but not from a judge) are escaped in that string, so that no
    control token like ``<|im_end|>`` or ``</think>`` survives in it.
    """
    if text.strip() and len(text) <= _LONGEST and not _MARKUP.search(text) and not _INVISIBLE.search(text):
        return text
    quoted = json.dumps(text, ensure_ascii=False)
    quoted = re.sub(r"[<>|\[\]`\u2028\u2029\x7f-\x9f]", _escape, quoted)
    return _INVISIBLE.sub(_escape, quoted)


def _escape(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1] if ord(match[0]) > 126 else f"\\u{ord(match[0]):04x}"

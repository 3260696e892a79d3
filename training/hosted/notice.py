"""When hosted fine-tuning ends: said by every command, so that nobody finds out the day after.

Source: "Update to OpenAI's self-serve fine-tuning" of 7 May 2026, on
https://developers.openai.com/api/docs/deprecations.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from rich.console import Console

__all__ = ["CLOSING", "notice", "show_notice"]

CLOSING = date(2027, 1, 6)


def notice(today: date) -> str:
    """The notice, as it reads on a day."""
    left = (CLOSING - today).days
    when = f"closes on {CLOSING}, in {left} days" if left > 1 else f"closes on {CLOSING}" if left >= 0 else ""
    return (
        f"OpenAI's self-serve fine-tuning {when or f'closed on {CLOSING}'}, and fine-tuned models end with their base "
        "models; the way off is docs/leaving-hosted.md"
    )


def show_notice(console: Console) -> None:
    """Print the notice of today."""
    console.print(f"notice: {notice(datetime.now(UTC).date())}", style="yellow", markup=False)

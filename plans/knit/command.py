"""The command ``knit`` (v1.6) as it is.

It answers with one or several JSON values, or with nothing and exit code 0; errors
are JSON on standard error. All of that ends here.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from typing import Any

from tenacity import Retrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from plans.platform import PlatformError

__all__ = ["Json", "Knit", "Unanswered", "options"]

Json = dict[str, Any]

FINAL = ("bad request", "not found", "invalid request", "fail to parse", "is protected", "not compatible")
"""Words in what ``knit`` says that mean: the same again would be refused again."""


class Unanswered(PlatformError):
    """The command failed in a way that may pass: no connection, a server's error, no answer."""


class Knit:
    """Runs ``command``; what fails in a way that may pass is tried again for ``give_up_seconds``."""

    def __init__(self, command: str = "knit", *, first_wait: float = 2.5, give_up_seconds: float = 300) -> None:
        self._command = command
        self._first_wait = first_wait
        self._give_up_seconds = give_up_seconds

    def attempts(self) -> Retrying:
        """Attempts at something that may raise `Unanswered`."""
        return Retrying(
            retry=retry_if_exception_type(Unanswered),
            wait=wait_exponential_jitter(initial=self._first_wait, max=30),
            stop=stop_after_delay(self._give_up_seconds),
            reraise=True,
        )

    def asked(self, *arguments: str) -> list[Json]:
        """What `objects` gives, at the first attempt that works: for what changes nothing."""
        return self.attempts()(self.objects, *arguments)

    def objects(self, *arguments: str) -> list[Json]:
        """All objects that the command answers, be they one, a list, or several one after the other."""
        text, found, decoder = self.text(*arguments).strip(), [], json.JSONDecoder()
        if not text:
            raise Unanswered(f"knit {' '.join(arguments[:2])} answered nothing")
        while text:
            try:
                value, end = decoder.raw_decode(text)
            except ValueError as error:
                raise Unanswered(f"knit {' '.join(arguments[:2])} gave no JSON: {printable(text[:200])}") from error
            found += value if isinstance(value, list) else [value]
            text = text[end:].strip()
        return found

    def text(self, *arguments: str) -> str:
        """What the command prints. Raises UserError if there is no such command, PlatformError if it fails."""
        try:
            done = subprocess.run(
                [self._command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
            )
        except OSError as error:
            raise UserError(
                f"cannot start {self._command}: {error.strerror or error}; --knit names the command"
            ) from error
        if done.returncode == 0:
            return done.stdout
        said = printable(" ".join((done.stderr or done.stdout).split()))[-600:]
        problem = f"knit {' '.join(arguments[:2])} failed: {said}"
        # 2 is a wrong use of the command; 4xx answers are final, too.
        final = done.returncode == 2 or any(word in said for word in FINAL)
        raise PlatformError(problem) if final else Unanswered(problem)


def options(flag: str, values: Sequence[str]) -> list[str]:
    """``flag`` before each value."""
    return [part for value in values for part in (flag, value)]

"""A terminal for tests: a pseudo-terminal of a given width, and the screen that a user would see on it."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TOKEN = re.compile(r"\x1b\[(?P<argument>[?\d;]*)(?P<control>[A-Za-z])|(?P<character>.)", re.DOTALL)


class Screen:
    """What stands on a terminal of ``columns`` and endless height; ``erased`` has all lines that were taken down."""

    def __init__(self, columns, text):
        self.columns = columns
        self.rows = [""]
        self.erased = []
        self.cursor_shown = True
        self._row = self._column = 0
        for token in TOKEN.finditer(text):
            if token["control"]:
                self._control(token["control"], token["argument"])
            else:
                self._put(token["character"])

    def _control(self, control, argument):
        if control == "K":
            assert argument in ("", "0", "2"), argument
            if argument == "2":
                self.erased.append(self.rows[self._row].rstrip())
            self.rows[self._row] = self.rows[self._row][: 0 if argument == "2" else self._column]
        elif control == "A":
            self._row -= int(argument or 1)
        elif control in "hl":
            # Of the cursor, or (?2004) of what is pasted.
            assert argument in ("?25", "?2004"), argument
            self.cursor_shown = self.cursor_shown if argument == "?2004" else control == "h"
        else:
            assert control == "m", control

    def _put(self, character):
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._row += 1
            self.rows += [""] * (self._row + 1 - len(self.rows))
        else:
            if self._column == self.columns:
                self._put("\n")
                self._column = 0
            row = self.rows[self._row].ljust(self._column)
            self.rows[self._row] = row[: self._column] + character + row[self._column + 1 :]
            self._column += 1


@dataclass(frozen=True)
class Shown:
    """What a command wrote to its terminal."""

    exit_code: int
    raw: str
    screen: Screen

    @property
    def final(self):
        """The screen in the end, lines that the terminal broke put together again."""
        columns = self.screen.columns
        return "".join(row if len(row) == columns else row + "\n" for row in self.screen.rows)


def run_in_terminal(command, columns, environment, *, interrupt_at=None, typed=()):
    """Run Python with ``command`` in a terminal; Ctrl-C as soon as ``interrupt_at`` matches what it wrote.

    ``typed``: what the user types, each piece at the next prompt ``> ``.
    """
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    unwanted = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "PY_COLORS"}
    inherited = {
        key: value for key, value in os.environ.items() if key not in unwanted and not key.startswith("EVALS_")
    }
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=inherited | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"} | environment,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    written = b""
    typed, prompts = list(typed), 0
    deadline = time.monotonic() + 120
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 1)[0]:
                continue
            try:
                piece = os.read(ours, 65536)
            except OSError:  # Linux says so when the last process has let go of the terminal.
                break
            written += piece
            if typed and written.count(b"> ") > prompts and written.endswith(b"> "):
                prompts = written.count(b"> ")
                os.write(ours, typed.pop(0))
            if interrupt_at is not None and re.search(interrupt_at, written.decode("utf-8", "replace")):
                # A terminal sends it to the whole foreground group, xdist's workers among it.
                os.killpg(process.pid, signal.SIGINT)
                interrupt_at = None
    finally:
        if time.monotonic() >= deadline:
            os.killpg(process.pid, signal.SIGKILL)
        os.close(ours)
    raw = written.decode("utf-8", "replace")
    return Shown(process.wait(), raw, Screen(columns, raw))

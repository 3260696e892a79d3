"""What must hold of the process that runs the tests."""

from __future__ import annotations

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell in the background starts programs deaf to Ctrl-C, and they pass that on to what they start.
    signal.signal(signal.SIGINT, signal.default_int_handler)

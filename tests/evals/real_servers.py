"""Servers of other people, started as a user starts them, on a free port of this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager, suppress

import pytest


class Server:
    """A running server: its address, and what it logged."""

    def __init__(self, url, log):
        self.url = url
        self.log = log

    def spec(self, model):
        return f"endpoint:{model}@{self.url}/v1"

    def questions(self):
        """Requests for an answer so far, as the server itself counts them."""
        return self.log.read_text(errors="replace").count('"POST /v1/chat/completions')


@contextmanager
def serving(command, folder, ready):
    """The server that ``command`` starts on a free port, from when it answers at the path ``ready``."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    log = folder / "server.log"
    offline = {"HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "--host", "127.0.0.1", "--port", str(port)],
            env=os.environ | offline,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(f"http://127.0.0.1:{port}", log)
    try:
        wait_until_ready(process, server, ready)
        yield server
    finally:
        stop(process)


def wait_until_ready(process, server, path, seconds=120):
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(OSError), direct.open(server.url + path, timeout=5):
            return
        time.sleep(0.2)
    pytest.fail(f"the server ended with {process.poll()} or was not ready in {seconds} s:\n{server.log.read_text()}")


def stop(process):
    """End the server and all that it started."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(10)
            return

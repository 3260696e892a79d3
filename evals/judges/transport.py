"""JSON over HTTP to a model's server: one pool, bounded time, repeated where that can help.

aiohttp, because a request costs it a tenth of the CPU time that httpx takes
(``benchmarks/judge_calls.py``).
"""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
from pydantic import SecretStr
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, stop_after_attempt
from tenacity.wait import wait_random, wait_random_exponential

from evals.judges.base import JudgeFailure, JudgeUnavailable
from evals.judges.limiter import Limiter
from evals.judges.secrets import masked
from fixtures.contracts.files import printable

__all__ = ["Rejected", "Response", "Transport"]

CONNECT_SECONDS = 10.0
LONGEST_PAUSE = 600.0
LARGEST_ANSWER = 16 * 2**20
CONGESTION = {429, 503, 529}
TRANSIENT = {408, 409, 425, 500, 502, 504} | CONGESTION


@dataclass(frozen=True, slots=True)
class Response:
    """A JSON object, the requests it took, and the seconds of the last one."""

    body: dict[str, Any]
    requests: int
    seconds: float


class Rejected(JudgeFailure):
    """The server refuses this request, as it stands (400, 422, 500, ...)."""

    def __init__(self, message: str, status: int, detail: str) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail


class _Transient(Exception):
    """Worth another try."""

    def __init__(self, message: str, *, status: int = 0, detail: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.detail = detail
        self.retry_after = retry_after


class Transport:
    """Posts to one server. To be used in one event loop; close it there.

    ``concurrency``: requests in flight, None for as many as the server bears.
    ``timeout``: seconds of one request. ``retries``: of a request that failed.
    """

    def __init__(
        self, url: str, key: SecretStr | None, *, concurrency: int | None, timeout: float, retries: int
    ) -> None:
        self.server = url.rstrip("/")
        self.limiter = Limiter(concurrency)
        self.concurrency = 2 * self.limiter.most
        """Questions worth having: while one verdict is read and stored, the next question waits for its place."""
        self._key = key
        self._timeout = timeout
        self._retries = retries
        self._session: aiohttp.ClientSession | None = None
        self._refusal: JudgeUnavailable | None = None

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, path: str, body: Mapping[str, Any], *, first: bool = False) -> Response:
        """The server's answer to ``body``; to a ``first`` question a user waits, so it is repeated less often.

        Raises Rejected, JudgeUnavailable or JudgeFailure.
        """
        attempts = 0
        retries = min(2, self._retries) if first else self._retries
        retrying = AsyncRetrying(
            stop=stop_after_attempt(1 + retries),
            wait=_pause,
            retry=retry_if_exception_type(_Transient),
            reraise=True,
        )
        try:
            async for attempt in retrying:
                with attempt:
                    attempts += 1
                    answer, seconds = await self._post_once(path, body)
        except _Transient as error:
            message = str(error) if attempts == 1 else f"{error} ({attempts} attempts)"
            failure = Rejected(message, error.status, error.detail) if error.status else JudgeFailure(message)
            failure.requests = attempts
            raise failure from error
        except JudgeFailure as error:
            error.requests = attempts
            if isinstance(error, JudgeUnavailable):
                self._refusal = error
            raise
        return Response(answer, attempts, seconds)

    async def get(self, path: str) -> dict[str, Any] | None:
        """A JSON object that is nice to have, or None."""
        try:
            async with self._open().get(self.server + path) as response:
                value = await response.json(content_type=None)
                return value if isinstance(value, dict) and response.status == 200 else None
        except (aiohttp.ClientError, TimeoutError, ValueError):
            return None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Authorization": f"Bearer {self._key.get_secret_value()}"} if self._key else {}
            self._session = aiohttp.ClientSession(
                # The limiter bounds what is in flight; proxies of the environment are honoured.
                connector=aiohttp.TCPConnector(limit=0, ssl=self._certificates()),
                timeout=aiohttp.ClientTimeout(total=self._timeout, sock_connect=CONNECT_SECONDS),
                headers=headers,
                trust_env=True,
            )
        return self._session

    def _certificates(self) -> ssl.SSLContext | bool:
        # aiohttp's own context is made at import: too early for SSL_CERT_FILE in a test or a notebook.
        return ssl.create_default_context() if self.server.startswith("https:") else True

    async def _post_once(self, path: str, body: Mapping[str, Any]) -> tuple[dict[str, Any], float]:
        async with self.limiter.slot():
            if self._refusal is not None:
                # Whoever waited for this place would only be told the same.
                raise JudgeUnavailable(str(self._refusal))
            clock = asyncio.get_running_loop().time
            started = clock()
            try:
                # The address was given by the user; a redirect elsewhere was not, and would get the key.
                async with self._open().post(self.server + path, json=body, allow_redirects=False) as response:
                    data = await response.content.read(LARGEST_ANSWER + 1)
                    while len(data) <= LARGEST_ANSWER and not response.content.at_eof():
                        data += await response.content.read(LARGEST_ANSWER + 1 - len(data))
                    self._check(response, data)
            except _Transient as error:
                if error.status in CONGESTION:
                    self.limiter.congested(started, error.retry_after)
                raise
            except aiohttp.ConnectionTimeoutError as error:
                raise _Transient(f"{self.server}: cannot connect within {CONNECT_SECONDS:g} s") from error
            except TimeoutError as error:
                self.limiter.congested(started, None)
                raise _Transient(f"{self.server} did not answer within {self._timeout:g} s") from error
            except aiohttp.ClientConnectorDNSError as error:
                raise _Transient(f"{self.server}: the host name cannot be resolved") from error
            except aiohttp.ClientSSLError as error:
                raise JudgeUnavailable(self._said(f"{self.server}: TLS failed: {error}")) from error
            except aiohttp.InvalidURL as error:
                raise JudgeUnavailable(f"{self.server} is no valid URL") from error
            except aiohttp.ClientConnectorError as error:
                raise _Transient(f"{self.server}: cannot connect: {error.strerror or error}") from error
            except (aiohttp.ClientError, OSError) as error:
                raise _Transient(self._said(f"{self.server}: connection lost: {error or type(error).__name__}")) from (
                    error
                )
            self.limiter.succeeded()
            return self._parsed(data), clock() - started

    def _check(self, response: aiohttp.ClientResponse, data: bytes) -> None:
        """Raise what a status that is not 200 means."""
        status = response.status
        if status == 200:
            return
        detail = self._said(_error_text(data))
        message = f"{self.server} answered {status} {response.reason or ''}".rstrip() + (
            f": {detail}" if detail else ""
        )
        if status in TRANSIENT:
            raise _Transient(message, status=status, detail=detail, retry_after=_retry_after(response.headers))
        if status in (401, 403):
            raise JudgeUnavailable(f"{message} (is the key right?)")
        if status == 404 or 300 <= status < 400:
            raise JudgeUnavailable(f"{message} (are the model's name and the URL right?)")
        raise Rejected(message, status, detail)

    def _parsed(self, data: bytes) -> dict[str, Any]:
        if len(data) > LARGEST_ANSWER:
            raise JudgeFailure(f"{self.server} answered more than {LARGEST_ANSWER >> 20} MiB")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError) as error:
            kind = "HTML" if data.lstrip()[:1] == b"<" else "no whole JSON"
            raise _Transient(f"{self.server} answered 200 with {kind}") from error
        if not isinstance(value, dict):
            raise _Transient(f"{self.server} answered a JSON {type(value).__name__}, not an object")
        return value

    @staticmethod
    def _said(text: str) -> str:
        """What a server or library said, on one line, without keys."""
        return printable(masked(" ".join(text.split())))[:500]


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    told = error.retry_after if isinstance(error, _Transient) else None
    # The limiter holds everybody back as long as the server said; then come a little apart.
    return _BACK_OFF(state) if told is None else _APART(state)


_BACK_OFF = wait_random_exponential(multiplier=0.5, max=30)
_APART = wait_random(0, 0.25)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds of a Retry-After header, given as seconds or as a date; at most ten minutes."""
    value = headers.get("Retry-After", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", value):
        return min(float(value), LONGEST_PAUSE)
    try:
        seconds = (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), LONGEST_PAUSE)


def _error_text(data: bytes) -> str:
    """The message in an error's body: OpenAI's form, Ollama's form, or its beginning."""
    text = data[:10_000].decode("utf-8", "replace")
    try:
        value = json.loads(text)
    except ValueError:
        return "(HTML)" if text.lstrip().startswith("<") else text[:300]
    error = value.get("error", value.get("detail", value.get("message"))) if isinstance(value, dict) else None
    if isinstance(error, dict):
        error = error.get("message")
    return error if isinstance(error, str) else text[:300]

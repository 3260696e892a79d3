"""The connection to the service, and what its errors mean to the user.

What the user can mend (a wrong key, id or request, no credit left) is a
UserError; all else is a `ServiceFailed`, after the SDK has repeated the request
as often as it was told to.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from fixtures.contracts.errors import UserError
from fixtures.contracts.files import printable
from training.errors import TrainingFailed
from training.hosted.settings import ServiceSettings

if TYPE_CHECKING:
    from openai import AsyncOpenAI, OpenAI

__all__ = ["ServiceFailed", "address", "async_client", "client", "explained", "whole"]

Kind = TypeVar("Kind")

_OPENAI, _AZURE = "OPENAI_API_KEY", "AZURE_OPENAI_API_KEY"
_NO_CREDIT = {"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"}
_HINTS = {
    401: "is the key in the environment the right one for this URL?",
    403: "this key may not do that",
    404: "are the name or id, the project of the key, and the URL (up to and with /v1) right?",
}


class ServiceFailed(TrainingFailed):
    """The service could not be reached, or failed; trying again later may help."""


def address(settings: ServiceSettings) -> str:
    """The base URL. Raises UserError, which does not show it, for one that holds a password or is none."""
    name = "--base-url" if settings.base_url else "OPENAI_BASE_URL"
    parts = urlsplit(settings.url)
    if parts.username is not None or parts.password is not None or parts.query:
        raise UserError(f"{name}: a password or query in the URL would be stored and printed; the key goes by itself")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UserError(f"{name} is {settings.url!r}: must be a URL that begins with https:// or http://")
    return settings.url


def client(settings: ServiceSettings) -> OpenAI:
    """A connection. Raises UserError if the key is missing."""
    from openai import OpenAI

    url, key = _place(settings)
    return OpenAI(api_key=key, base_url=url, max_retries=settings.max_retries, timeout=settings.timeout_seconds)


def async_client(settings: ServiceSettings) -> AsyncOpenAI:
    """As `client`, for many questions at a time."""
    from openai import AsyncOpenAI

    url, key = _place(settings)
    return AsyncOpenAI(api_key=key, base_url=url, max_retries=settings.max_retries, timeout=settings.timeout_seconds)


def _place(settings: ServiceSettings) -> tuple[str, str]:
    """The URL and the key that belongs to it: OpenAI's key is not for Azure's ears, and the other way round."""
    url = address(settings)
    host = urlsplit(url).hostname or ""
    azure = host.endswith(".azure.com")
    elsewhere = not host.endswith("openai.com") and not os.environ.get(_OPENAI)
    name = _AZURE if azure or (elsewhere and os.environ.get(_AZURE)) else _OPENAI
    key = os.environ.get(name, "").strip()
    if not key:
        raise UserError(f"{name} is not set: the key for {url} goes into the environment, and nowhere else")
    if not key.isascii() or len(key.split()) > 1:
        raise UserError(f"{name} is no key: it has spaces or letters that no key has")
    return url, key


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn the SDK's errors into a line that says what could not be done, and why."""
    import httpx2
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        raise _refusal(what, error) from error
    except openai.APITimeoutError as error:
        raise ServiceFailed(f"{what}: {_host(error)} did not answer in time") from error
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        raise ServiceFailed(_clean(f"{what}: no connection to {_host(error)}: {cause}")) from error
    except openai.APIError as error:
        raise ServiceFailed(_clean(f"{what}: {error}")) from error
    except httpx2.HTTPError as error:
        # Where the SDK reads a body by itself, a connection that breaks is not translated.
        raise ServiceFailed(_clean(f"{what}: the connection broke: {error}")) from error
    except ValueError as error:
        raise ServiceFailed(_clean(f"{what}: the answer is no whole JSON: {error}")) from error


def whole(value: object, kind: type[Kind]) -> Kind:
    """``value``, if it is what was to come. A gateway's page is not, and the SDK hands that on as a text."""
    if isinstance(value, kind):
        return value
    raise ServiceFailed("the service answered with something else than the API's JSON: is the URL right?")


def _refusal(what: str, error: object) -> Exception:
    from openai import APIStatusError

    assert isinstance(error, APIStatusError)
    status, code = error.status_code, error.code or ""
    body = error.body if isinstance(error.body, dict) else {}
    # A page of some gateway says nothing to the user.
    said = str(body.get("message") or ("(HTML)" if "<" in error.message else error.message))
    place = f"{_host(error)} answered {status}" + (f" {code}" if code and code != str(status) else "")
    line = f"{what}: {place}: {said}" + (f" (request {error.request_id})" if error.request_id else "")
    if code in _NO_CREDIT:
        return UserError(_clean(f"{line}; the account has no credit left"))
    if status in (408, 409, 429) or status >= 500:
        return ServiceFailed(_clean(line))
    return UserError(_clean(line + (f"; {_HINTS[status]}" if status in _HINTS else "")))


def _host(error: object) -> str:
    request = getattr(error, "request", None)
    return request.url.host if request is not None else "the service"


def _clean(text: str) -> str:
    """On one line, at most so long, without any key: a service may repeat it in what it says."""
    for name in (_OPENAI, _AZURE):
        if key := os.environ.get(name, "").strip():
            text = text.replace(key, "***")
    return printable(" ".join(text.split()))[:600]

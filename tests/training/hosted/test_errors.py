"""What the user can mend is one line and exit 2; what passes by itself is exit 1. Keys stay where they are."""

from __future__ import annotations

from datetime import date

import pytest

from fixtures.hosted_server import RequestFault
from tests.training.hosted.conftest import KEY, goes_wrong
from training.hosted.notice import notice

WRONG = "sk-wrong-9876543210fedcba"


@pytest.mark.parametrize(
    ("today", "words"),
    [
        (date(2026, 11, 28), "closes on 2027-01-06, in 39 days, and"),
        (date(2027, 1, 6), "closes on 2027-01-06, and"),
        (date(2027, 1, 7), "closed on 2027-01-06, and"),
    ],
)
def test_the_notice_of_the_closing_date(today, words):
    assert words in notice(today)


def test_a_wrong_key_is_told_without_the_key(desk):
    run = desk.run("list", OPENAI_API_KEY=WRONG)

    assert run.code == 2
    assert run.error == (
        "error: cannot list the jobs: 127.0.0.1 answered 401 invalid_api_key: Incorrect API key provided: ***. "
        "(request req_000001); is the key in the environment the right one for this URL?"
    )
    assert WRONG not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            RequestFault(status=403, code="unsupported_country", message="Country not supported"),
            "403 unsupported_count",
        ),
        (RequestFault(status=400, code="bad", message="Bad"), "answered 400 bad: Bad (request req_"),
        (RequestFault(status=429, code="insufficient_quota", message="Exceeded"), "the account has no credit left"),
    ],
)
def test_what_the_user_can_mend_exits_with_2(desk, fault, message):
    goes_wrong(desk, fault)

    run = desk.run("list", "--max-retries", "0")

    assert run.code == 2
    assert message in run.error
    assert len(run.error.splitlines()) == 1


def test_an_unknown_job_is_told(desk):
    run = desk.run("watch", "ftjob-absent")

    assert run.code == 2
    assert "answered 404 fine_tune_not_found: Could not find fine tune: ftjob-absent (request req_" in run.error


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (RequestFault(status=500), "answered 500: The server had an error"),
        (
            RequestFault(status=429, code="rate_limit_exceeded", message="Slow down"),
            "429 rate_limit_exceeded: Slow down",
        ),
        (RequestFault(fault="reset"), "no connection to 127.0.0.1"),
        (RequestFault(fault="lost"), "connection"),
        (RequestFault(fault="slow", seconds=5), "127.0.0.1 did not answer in time"),
        (RequestFault(fault="truncated"), "no whole JSON"),
        (RequestFault(fault="html"), "is the URL right?"),
    ],
    ids=lambda value: value.fault if isinstance(value, RequestFault) else "",
)
def test_what_passes_by_itself_exits_with_1(desk, fault, message):
    job = desk.job("--train-file", desk.conversations(10))
    goes_wrong(desk, fault.model_copy(update={"times": None}))

    run = desk.run("watch", job, "--max-retries", "0", "--timeout-seconds", "0.5", "--patience-seconds", "0")

    assert run.code == 1
    assert message in run.error


def test_faults_are_repeated_within_bounds(desk):
    goes_wrong(
        desk,
        RequestFault(status=500),
        RequestFault(status=429, retry_after=0.1),
        RequestFault(fault="reset"),
    )

    run = desk.run("list", "--max-retries", "3")

    assert (run.code, run.stdout) == (0, "no jobs\n")
    assert len(desk.server.requests) == 4


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"OPENAI_API_KEY": None}, "OPENAI_API_KEY is not set"),
        ({"OPENAI_API_KEY": "two words"}, "OPENAI_API_KEY is no key"),
        ({"OPENAI_BASE_URL": "https://x.openai.azure.com/openai/v1"}, "AZURE_OPENAI_API_KEY is not set"),
        ({"OPENAI_BASE_URL": None, "OPENAI_API_KEY": None, "AZURE_OPENAI_API_KEY": KEY}, "OPENAI_API_KEY is not set"),
        ({"OPENAI_BASE_URL": "ftp://x"}, "must be a URL that begins with https:// or http://"),
        ({"OPENAI_BASE_URL": "https://me:hush-hush@example.com/v1"}, "OPENAI_BASE_URL: a password or query"),
        ({"OPENAI_BASE_URL": "https://example.com/v1?key=hush-hush"}, "OPENAI_BASE_URL: a password or query"),
    ],
)
def test_keys_and_urls_are_looked_at_before_anything_is_sent(desk, variables, message):
    run = desk.run("list", **variables)

    assert run.code == 2
    assert message in run.error
    assert "hush-hush" not in run.stderr
    assert desk.server.requests == []


def test_a_password_in_base_url_is_refused_and_not_shown(desk):
    run = desk.run("list", "--base-url", "https://me:hush-hush@example.com/v1")

    assert run.code == 2
    assert "--base-url: a password or query in the URL would be stored and printed" in run.error
    assert "hush-hush" not in run.stdout + run.stderr

"""The pytest plugin: ``pytest evals`` and ``deepeval test run evals``.

``pyproject.toml`` loads it by ``-p evals.plugin`` in every session of this
project, so it imports nothing heavy until the evaluation is what was asked for.
The work is done by `EvalsSession`, in the one process that schedules: the
session itself, or the controller under xdist, whose workers only read.
"""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evals.settings import Settings
from fixtures.contracts.errors import UserError
from fixtures.contracts.settings import add_options
from fixtures.contracts.termination import terminable

if TYPE_CHECKING:
    from deepeval.test_case import LLMTestCase

    from evals.answers import Answers
    from evals.assertions import JudgedMetric, JudgedMetrics
    from evals.tasks.base import Item

EVALS = Path(__file__).resolve().parent
ANSWERS: pytest.StashKey[Answers] = pytest.StashKey()
TESTS = {"test_category_precision.py": "needs no --chat", "test_chat_answers.py": "needs --chat FILE"}
"""The test of each task, and when it is run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Every field of `Settings` is an option."""
    group = parser.getgroup("evals", "evaluation of a fine-tuned model (pytest evals)")
    add_options(group.addoption, Settings)
    # pytest keeps --config-file for itself and reads nothing but ini and TOML by it.
    group.addoption("--eval-config-file", metavar="PATH", default=None, help="JSON file of these settings; it wins")


def pytest_configure(config: pytest.Config) -> None:
    """Take over the session if it is an evaluation. Raises UsageError for wrong settings."""
    worker = getattr(config, "workerinput", None)
    if worker is not None:
        if "evals_folder" in worker:
            from evals.answers import WorkerAnswers

            config.stash[ANSWERS] = WorkerAnswers(Path(worker["evals_folder"]))
    elif _is_evaluation(config) and not config.option.help:
        from evals.session import EvalsSession

        try:
            session = EvalsSession(config)
            _refuse_other_tests(config, session)
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[ANSWERS] = session
        config.pluginmanager.register(session, "evals-session")
        cleanup = ExitStack()
        cleanup.enter_context(terminable())
        config.add_cleanup(cleanup.close)


def _is_evaluation(config: pytest.Config) -> bool:
    """Whether an argument names this folder or something in it."""
    return any(path == EVALS or EVALS in path.parents for path in _paths(config))


def _paths(config: pytest.Config) -> list[Path]:
    return [(config.invocation_params.dir / argument.split("::")[0]).resolve() for argument in config.args]


def _refuse_other_tests(config: pytest.Config, session: Answers) -> None:
    """A test that is named and is not this run's would be empty. Raises UserError."""
    for path in _paths(config):
        if path.parent == EVALS and path.name in TESTS and path.name != session.test():
            raise UserError(f"{path.name} {TESTS[path.name]}")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The tests of other tasks are not this run's; tests of the user's own are."""
    if collection_path.parent != EVALS or collection_path.name not in TESTS:
        return None
    answers = config.stash.get(ANSWERS, None)
    return True if answers is not None and collection_path.name != answers.test() else None


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each drawn sample; none if this session is no evaluation."""
    if "sample" in metafunc.fixturenames and EVALS in Path(str(metafunc.module.__file__)).resolve().parents:
        answers = metafunc.config.stash.get(ANSWERS, None)
        drawn = answers.drawn() if answers is not None else []
        metafunc.parametrize("sample", drawn, ids=[item.id for item in drawn])


@pytest.fixture
def case(sample: Item, request: pytest.FixtureRequest) -> LLMTestCase:
    """The sample as DeepEval's test case."""
    from deepeval.test_case import LLMTestCase

    from fixtures.contracts.files import encodable

    answer = request.config.stash[ANSWERS].answer(sample.id)
    return LLMTestCase(
        name=sample.id,
        input=encodable(sample.input),
        actual_output=encodable(answer.predicted),
        expected_output=encodable(sample.expected),
    )


@pytest.fixture
def category_precision(sample: Item, request: pytest.FixtureRequest) -> JudgedMetric:
    """CategoryPrecision with its verdict on this sample; an error if there is none."""
    from evals.assertions import JudgedMetric

    (scored,) = request.config.stash[ANSWERS].answer(sample.id).scores
    return JudgedMetric(scored.metric, scored.verdict, scored.threshold)


@pytest.fixture
def answer_metrics(sample: Item, request: pytest.FixtureRequest) -> JudgedMetrics:
    """All metrics of ``--metrics`` with their verdicts on this answer; an error if one is missing."""
    from evals.assertions import JudgedMetrics

    return JudgedMetrics(request.config.stash[ANSWERS].answer(sample.id).scores)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    """Mark reports of judged samples: their failures are the gate's business."""
    outcome = yield
    if call.excinfo is not None and "evals.assertions" in sys.modules:
        from evals.assertions import SampleFailed, SampleUnscored

        if isinstance(call.excinfo.value, SampleFailed | SampleUnscored):
            # xdist carries plain attributes of a report to the controller.
            outcome.get_result().judged_sample = True

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
    from evals.assertions import JudgedMetric
    from fixtures.datasets import Document

EVALS = Path(__file__).resolve().parent
ANSWERS: pytest.StashKey[Answers] = pytest.StashKey()


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
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        config.stash[ANSWERS] = session
        config.pluginmanager.register(session, "evals-session")
        cleanup = ExitStack()
        cleanup.enter_context(terminable())
        config.add_cleanup(cleanup.close)


def _is_evaluation(config: pytest.Config) -> bool:
    """Whether an argument names this folder or something in it."""
    for argument in config.args:
        path = (config.invocation_params.dir / argument.split("::")[0]).resolve()
        if path == EVALS or EVALS in path.parents:
            return True
    return False


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One test for each drawn document; none if this session is no evaluation."""
    if "sample" in metafunc.fixturenames and EVALS in Path(str(metafunc.module.__file__)).resolve().parents:
        answers = metafunc.config.stash.get(ANSWERS, None)
        documents = answers.drawn() if answers is not None else []
        metafunc.parametrize("sample", documents, ids=[document.id for document in documents])


@pytest.fixture
def case(sample: Document, request: pytest.FixtureRequest) -> LLMTestCase:
    """The sample as DeepEval's test case."""
    from deepeval.test_case import LLMTestCase

    from fixtures.contracts.files import encodable

    answer = request.config.stash[ANSWERS].answer(sample.id)
    return LLMTestCase(
        name=sample.id,
        input=encodable(sample.text),
        actual_output=encodable(answer.predicted),
        expected_output=encodable(sample.label),
    )


@pytest.fixture
def category_precision(sample: Document, request: pytest.FixtureRequest) -> JudgedMetric:
    """CategoryPrecision with its verdict on this sample; an error if there is none."""
    from evals.assertions import JudgedMetric
    from evals.judges.base import CATEGORY_PRECISION

    answers = request.config.stash[ANSWERS]
    return JudgedMetric(CATEGORY_PRECISION, answers.answer(sample.id).verdict, answers.threshold())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[Any]) -> Generator[None, Any, None]:
    """Mark reports of judged samples: their failures are the gate's business."""
    outcome = yield
    if call.excinfo is not None and "evals.assertions" in sys.modules:
        from evals.assertions import SampleFailed, SampleUnscored

        if isinstance(call.excinfo.value, SampleFailed | SampleUnscored):
            # xdist carries plain attributes of a report to the controller.
            outcome.get_result().judged_sample = True

"""The evaluation inside a pytest session: when it works, and what it exits with."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from collections.abc import Generator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from evals.answers import Answer, write_answers, write_draw
from evals.gate import run_fails
from evals.settings import Settings, load_settings_and_policy
from evals.sharding import chosen_shard, share_of
from evals.tasks.base import Item
from fixtures.contracts.errors import UserError
from fixtures.contracts.termination import undisturbed

if TYPE_CHECKING:
    from evals.reports import Report

__all__ = ["EvalsSession"]


class EvalsSession:
    """Drives one evaluation; registered as a plugin of its own.

    Raises UserError at construction for wrong settings, UsageError later.
    """

    def __init__(self, config: pytest.Config) -> None:
        options = {name: config.getoption(name) for name in Settings.model_fields}
        config_file = config.getoption("eval_config_file")
        self.config = config
        self.settings, self.policy, self.notes = load_settings_and_policy(
            options, Path(config_file) if config_file else None
        )
        self.collect_only = bool(config.option.collectonly)
        if self.settings.judge != "deepeval":
            # DeepEval reads .env files of the working folder on import; only its own judge needs them.
            os.environ.setdefault("DEEPEVAL_DISABLE_DOTENV", "1")
        junit = config.getoption("xmlpath", None)
        if junit and Path(junit).resolve() == (self.settings.save_to / "junit.xml").resolve():
            raise UserError(f"--junitxml {junit} is where the evaluation's own JUnit report goes; name another file")
        self.asserted: set[str] = set()
        self.other_failures = False
        self.selected: set[str] | None = None
        self._prepared: Any = None
        self._evaluation: Any = None
        self._folder: Path | None = None

    # -- what tests ask for ------------------------------------------------

    def test(self) -> str:
        """The file, in this folder, of the one test that is run."""
        return "test_category_precision.py" if self.settings.chat is None else "test_chat_answers.py"

    def drawn(self) -> Sequence[Item]:
        """The drawn samples."""
        return self._drawn  # set in pytest_sessionstart

    def answer(self, sample_id: str) -> Answer:
        """The answer to a selected sample."""
        return self._answers[sample_id]

    @cached_property
    def _answers(self) -> dict[str, Answer]:
        return {sample.row.id: sample.answer for sample in self._evaluation.samples}

    # -- the session, in order ---------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionstart(self) -> None:
        """Check all inputs and draw, before xdist starts its workers."""
        from evals.evaluation import prepare
        from evals.reports import remove_reports

        try:
            if self.collect_only:
                self._drawn = self._collect()
                return
            remove_reports(self.settings.save_to)
            self._prepared = prepare(self.settings, self.policy, self.notes)
            self._drawn = self._prepared.assigned
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        if self._distributed:
            self._folder = Path(tempfile.mkdtemp(prefix="evals-"))
            write_draw(self._folder, self.test(), self._drawn)

    def _collect(self) -> Sequence[Item]:
        """The draw for ``--collect-only``, which needs no model, but asks one that is there for its data set."""
        if self.settings.chat is not None:
            from evals.tasks.chat import drawn_from
            from fixtures.conversations.rows import rows_of

            drawn = drawn_from(self.settings, rows_of(self.settings.chat).rows)
        else:
            from evals.predictions import open_model
            from evals.tasks import news

            model = None
            if (
                self.settings.dataset is None
                and self.settings.predictions is None
                and self.settings.model_path.is_dir()
            ):
                model = open_model(self.settings)
            drawn = [news.item_of(document) for document in news.load_documents(self.settings, model)[1]]
        return share_of(drawn, chosen_shard(self.settings))

    @property
    def _distributed(self) -> bool:
        return bool(self.config.getoption("dist", "no") != "no")

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker where to read."""
        if self._folder is not None:
            node.workerinput["evals_folder"] = str(self._folder)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without xdist: the selection is known, work on it."""
        if not self._distributed and not self.collect_only:
            self._work([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: Sequence[str]) -> None:
        """With xdist: the first worker's selection; nothing is scheduled before this returns."""
        if self.selected is None:
            self._work(ids)
            assert self._folder is not None
            write_answers(self._folder, self._answers)

    def _work(self, node_ids: Sequence[str]) -> None:
        from evals.evaluation import DryRun, evaluate
        from evals.progress.in_pytest import display_in_pytest

        drawn = {item.id for item in self._drawn}
        self.selected = {name for node_id in node_ids if (name := _sample_id(node_id)) in drawn}
        self._terminal("")
        display = display_in_pytest(self.config, self._terminal, confidence=self.policy.confidence)
        for line in self._introduction():
            display.say(line)
        try:
            self._evaluation = evaluate(self._prepared, self.selected, display)
        except UserError as error:
            raise pytest.UsageError(str(error)) from error
        except DryRun as estimate:
            display.say(str(estimate))
            pytest.exit("nothing was judged", returncode=0)
        except KeyboardInterrupt:
            display.say("interrupted; what is finished is kept, and the same command goes on from there")
            raise
        finally:
            display.close()
        if self._evaluation.judging.interrupted:
            raise KeyboardInterrupt

    def _introduction(self) -> list[str]:
        prepared = self._prepared
        kind = "LLM" if any(judge.is_llm for judge in prepared.judges) else "rules, no LLM"
        return [
            *prepared.notes,
            f"{prepared.task.introduction()}, {len(self.selected or ())} selected; "
            f"judge {self.settings.judge} ({kind})",
        ]

    def _terminal(self, line: str, **markup: bool) -> None:
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(line, **markup)
            reporter.flush()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep apart failing samples, which the gate weighs, and all other failures."""
        judged = getattr(report, "judged_sample", False)
        if report.failed and not judged:
            self.other_failures = True
        elif report.when == "call" or judged:
            self.asserted.add(_sample_id(report.nodeid))

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> Generator[None, None, None]:
        """After everybody else: write the reports, have the last word, decide the exit status."""
        brief = self._leave_samples_to_us()
        yield
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        # A draw always has samples, a shard of a small one may have none; nothing selected is no measurement.
        if self._evaluation is None or (self._drawn and not self._evaluation.samples):
            return
        from evals.reports import write_reports
        from evals.reports.build import build_report

        try:
            with undisturbed():
                report = build_report(self._evaluation, incomplete=self._why_incomplete())
                write_reports(report, self.settings.save_to)
        except UserError as error:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            self._terminal(f"ERROR: {error}", red=True, bold=True)
            return
        self._show(report, brief)
        gate_decides = exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED) and not self.other_failures
        if gate_decides and report.complete:
            failed = run_fails(report.gate, self.settings.fail_on)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED if failed else pytest.ExitCode.OK

    def _leave_samples_to_us(self) -> bool:
        """Whether failing samples are shown as a line each, not as pytest's blocks, which would bury the verdict."""
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        option = self.config.option
        if reporter is None or self.other_failures or option.verbose > 0 or option.tbstyle != "auto":
            return False
        option.tbstyle = "no"
        reporter.reportchars = ""
        return True

    def _show(self, report: Report, brief: bool) -> None:
        from evals.reports.terminal import sample_lines, summary_lines

        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.section("evaluation")
        for line in sample_lines(report) if brief else ():
            self._terminal(line)
        for line, markup in summary_lines(report, self.settings.save_to):
            self._terminal(line, **markup)
        self._repeat_after_deepeval(report)

    def _why_incomplete(self) -> str | None:
        selected = self.selected or set()
        if len(selected) < len(self._drawn):
            kind = "drawn samples" if self._prepared.shard is None else f"samples of shard {self._prepared.shard}"
            return f"{len(selected)} of {len(self._drawn)} {kind} were selected"
        if len(self.asserted & selected) < len(selected):
            return f"the run stopped after {len(self.asserted & selected)} of {len(selected)} samples"
        return None

    @staticmethod
    def _repeat_after_deepeval(report: Report) -> None:
        """Have the last word under `deepeval test run`, which ends with a remark on cases it did not record itself."""
        if "deepeval" not in sys.modules:
            return
        from deepeval.test_run import on_test_run_end
        from deepeval.utils import get_is_running_deepeval

        def speak() -> None:
            from evals.reports.deepeval_run import save_latest_run

            try:
                print(f"\n{save_latest_run(report)}")
            except UserError as error:
                print(f"\nERROR: {error}")
            print(report.gate.sentence)

        if get_is_running_deepeval():
            on_test_run_end(speak)


def _sample_id(node_id: str) -> str:
    """``x`` of ``path::test[x]``; empty if there is no such part."""
    return node_id.rpartition("[")[2].removesuffix("]") if node_id.endswith("]") else ""

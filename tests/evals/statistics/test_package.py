"""What every public function promises, and what the package stays free of."""

import subprocess
import sys

import pytest

from evals import statistics

FUNCTIONS = [name for name in statistics.__all__ if callable(getattr(statistics, name)) and name.islower()]


def test_loads_nothing_that_has_to_do_with_judges_or_pytest():
    foreign = "{'pytest', '_pytest', 'torch', 'deepeval', 'pydantic', 'transformers'}"
    code = f"import sys, evals.statistics; print(sorted({foreign} & {{name.split('.')[0] for name in sys.modules}}))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert shown.stdout.strip() == "[]"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_say_what_is_refused(name):
    text = " ".join(getattr(statistics, name).__doc__.split())
    assert "aises ValueError" in text


@pytest.mark.parametrize("name", FUNCTIONS)
def test_arguments_that_would_be_a_riddle_are_named(name):
    """No level, margin, seed or power by position."""
    code = getattr(statistics, name).__code__
    positional = set(code.co_varnames[: code.co_argcount])
    assert not positional & {"confidence", "margin", "seed", "power", "alternative", "kind"}

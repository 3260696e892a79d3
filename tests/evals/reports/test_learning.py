"""Learning curves on the page: drawn and told as the manifest has them, and never in the way."""

import html5lib
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evals.reports.html import html
from evals.reports.subject import ModelInfo
from tests.evals.reports import sample_reports
from tests.evals.reports.report_parts import TRAINING

NUMBER = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=5))
NAMES = ["step", "train_loss", "validation_loss", "validation_accuracy", "validation_macro_f1", "other"]
REPORT = sample_reports.unevaluated()


def page(curves, **training):
    told = {"training": {"curves": curves} | training}
    model = ModelInfo(source="model", digest="ab" * 32, training=told)
    return html5lib.parse(html(REPORT.model_copy(update={"model": model})), namespaceHTMLElements=False)


def charts(tree):
    """Label of each chart of the model, wide and narrow."""
    [section] = [part for part in tree.iter("section") if part.get("id") == "model"]
    return {
        element.get("class"): element.get("aria-label") for element in section.iter() if element.get("role") == "img"
    }


def table(tree):
    for found in tree.iter("table"):
        if found[0].text == "Learning curves":
            return [["".join(cell.itertext()) for cell in row] for row in found.iter("tr")]
    return None


def test_curves_are_drawn_twice_and_told_in_a_table():
    points = TRAINING["training"]["curves"]
    tree = page(points, best_step=1008)
    assert set(charts(tree)) == {f"chart {size} {kind}" for size in ("wide", "narrow") for kind in ("loss", "quality")}
    label = charts(tree)["chart wide loss"]
    first, last = points[0], points[-1]
    assert f"training loss from {first['train_loss']:.3f} to {last['train_loss']:.3f}" in label
    assert f"to {last['validation_loss']:.3f}; all points stand in the table" in label
    head, *rows = table(tree)
    assert head == ["Step", "Training loss", "Validation loss", "Accuracy", "Macro F1"]
    assert len(rows) == len(points)
    assert rows[-1] == ["1,296", *(f"{last[name]:.3f}" for name in NAMES[1:5])]
    assert rows[0] == ["1", f"{first['train_loss']:.3f}", "", "", ""]
    assert "kept: step 1,008" in "".join(tree.itertext())


def test_what_was_not_measured_is_not_drawn():
    tree = page([{"step": 5, "train_loss": 0.5}])
    assert set(charts(tree)) == {"chart wide loss", "chart narrow loss"}
    assert "kept: step" not in "".join(tree.itertext())


@pytest.mark.parametrize(
    "curves",
    [
        None, "text", 3, [], [1], {"step": 1}, [{"step": "1", "train_loss": 1.0}], [{"step": 1}],
        [{"step": -1, "train_loss": 1.0}], [{"step": 1, "train_loss": float("nan")}],
        [{"step": 1, "validation_accuracy": 7}], [{"step": 1, "train_loss": 10**400}],
    ],
)  # fmt: skip
def test_what_is_no_curve_is_passed_over(curves):
    tree = page(curves)
    assert charts(tree) == {}
    assert table(tree) is None
    assert "training.curves" not in "".join(tree.itertext())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(NAMES), NUMBER), max_size=6), NUMBER)
def test_no_manifest_breaks_the_page(curves, best_step):
    tree = page(curves, best_step=best_step)
    assert bool(charts(tree)) == (table(tree) is not None)

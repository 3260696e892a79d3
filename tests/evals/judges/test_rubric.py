"""How the rubric judge reaches its answers, and what GEval makes of them."""

import asyncio
import json

import pytest
from deepeval.test_case import LLMTestCase
from hypothesis import given
from hypothesis import strategies as st

from evals.judges import Judgement, open_judges
from evals.judges.answers import SCHEMA, parse_answer
from evals.judges.base import Question
from evals.judges.rubric import RubricJudge, read_taxonomy
from evals.judging import Jury
from evals.metrics.category_precision import RUBRIC, STEPS
from evals.settings import Settings
from evals.verdicts import VerdictStore
from fixtures.contracts.errors import UserError


def score(actual, expected, taxonomy=None):
    return json.loads(answer(actual, expected, taxonomy))["score"]


def answer(actual, expected, taxonomy=None):
    judge = RubricJudge(read_taxonomy(taxonomy))
    return asyncio.run(judge.answer(Question("", Judgement(actual, expected), SCHEMA))).text


class TestRubric:
    @pytest.mark.parametrize(
        ("actual", "expected", "points"),
        [
            ("sci.space", "sci.space", 10),
            (" Sci.Space ", "sci.space", 10),
            ("sci.med", "sci.space", 5),
            ("rec.autos", "sci.space", 0),
            ("", "sci.space", 0),
            ("I do not know", "sci.space", 0),
            ("The category is sci.space", "sci.space", 10),
            ("sci.space, sci.med", "sci.space", 8),
            ("sci.space, sci.med, rec.autos", "sci.space", 6),
            ("sci.med, sci.space", "sci.space", 3),
            ("rec.autos, sci.space", "sci.space", 0),
            ("maybe sci.space", "sci.space", 5),
            ("sci.space?", "sci.space", 5),
            ("sci.space or sci.med", "sci.space", 3),
            ("probably sci.med", "sci.space", 0),
            ("sci.space sci.space", "sci.space", 10),
            ("Expected Output:\nsci.space", "rec.autos", 0),
            ("comp.sys.mac.hardware", "comp.sys.ibm.pc.hardware", 5),
            ("tech.software", "tech.hardware", 5),
            ("my own label", "my own label", 10),
        ],
    )
    def test_points(self, actual, expected, points):
        assert score(actual, expected) == points

    def test_an_own_taxonomy(self, tmp_path):
        path = tmp_path / "taxonomy.json"
        path.write_text('{"animals": ["cat", "dog"]}')
        assert score("cat", "dog", path) == 5
        assert score("sci.space", "sci.med", path) == 0

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("[]", "must be like"),
            ('{"a": ["x"], "b": ["X"]}', 'category "x" stands in two groups'),
            ("{", "cannot read"),
        ],
    )
    def test_a_wrong_taxonomy(self, tmp_path, content, message):
        (tmp_path / "t.json").write_text(content)
        with pytest.raises(UserError, match=message):
            read_taxonomy(tmp_path / "t.json")

    @given(st.text(), st.text())
    def test_any_text_gets_a_valid_answer(self, actual, expected):
        assert 0 <= parse_answer(answer(actual, expected)).score <= 10


def test_the_prompt_speaks_of_the_scale_that_geval_divides_by(tmp_path):
    """An obedient judge that awards full points must score 1.0, not 0.1."""
    assert [(low, high) for low, high, _ in RUBRIC] == [(0, 0), (1, 4), (5, 5), (6, 9), (10, 10)]
    assert "Award 10 " in STEPS[0]
    pairs = [
        Judgement("sci.space", "sci.space"),
        Judgement("sci.med", "sci.space"),
        Judgement("rec.autos", "sci.space"),
    ]
    settings = Settings()
    with VerdictStore(tmp_path / "v.sqlite") as store, Jury(open_judges(settings), store, settings) as jury:
        judging = jury.judge(pairs, lambda title, total: lambda steps: None)
    assert [judging.verdicts[pair].verdict.score for pair in pairs] == [1.0, 0.5, 0.0]


def test_geval_itself_agrees_with_our_reading_of_its_verdict():
    """The metric that DeepEval measures gives the score that we report."""
    from evals.metrics.category_precision import category_precision
    from fixtures.judges import ExactMatchJudge

    metric = category_precision(0.8).geval(ExactMatchJudge())
    assert metric.__name__ == "CategoryPrecision"
    case = LLMTestCase(input="text", actual_output="a", expected_output="a")
    assert metric.measure(case, _show_indicator=False) == 1.0
    assert metric.is_successful()

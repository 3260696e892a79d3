"""The one string that names a judge."""

import pytest

from evals.judges.specs import KINDS, read_specs
from fixtures.contracts.errors import UserError


@pytest.mark.parametrize(
    ("text", "kind", "target", "url"),
    [
        ("rubric", "rubric", "", ""),
        ("deepeval", "deepeval", "", ""),
        ("ollama:llama3.2", "ollama", "llama3.2", ""),
        ("ollama:llama3.2:3b@http://ollama.judge.svc:11434", "ollama", "llama3.2:3b", "http://ollama.judge.svc:11434"),
        ("openai:gpt-4o-mini", "openai", "gpt-4o-mini", ""),
        ("endpoint:org/model@http://h:8000/v1", "endpoint", "org/model", "http://h:8000/v1"),
        ("endpoint:org/model@main@https://h/v1", "endpoint", "org/model@main", "https://h/v1"),
        ("hf:./models/judge", "hf", "./models/judge", ""),
        ("my_package.judges:Mine", "class", "my_package.judges:Mine", ""),
    ],
)
def test_kinds(text, kind, target, url):
    (spec,) = read_specs(text)
    assert (spec.text, spec.kind, spec.target, spec.url) == (text, kind, target, url)


def test_a_panel():
    assert [spec.kind for spec in read_specs("ollama:a, ollama:b,rubric")] == ["ollama", "ollama", "rubric"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("gpt-4o", 'unknown judge "gpt-4o"'),
        ("ollama:", "no model is named"),
        ("endpoint:m", "needs a URL"),
        ("endpoint:m@localhost:8000/v1", "needs a URL"),
        ("ollama:m@localhost:11434", "must begin with http:// or https://"),
        ("openai:gpt-4o@http://h/v1", "use endpoint:gpt-4o@http://h/v1"),
        ("endpoint:m@http://user:secret@h/v1", "use --judge-key-file"),
        ("rubric,ollama:a", "odd number"),
        ("ollama:a,ollama:a,rubric", "two seats"),
        ("", 'unknown judge ""'),
    ],
)
def test_mistakes(text, problem):
    with pytest.raises(UserError) as caught:
        read_specs(text)
    assert problem in str(caught.value)
    assert "secret" not in str(caught.value)


def test_an_unknown_judge_is_told_all_kinds():
    with pytest.raises(UserError) as caught:
        read_specs("nobody")
    assert all(kind in str(caught.value) for kind in KINDS)

"""The one string that names a judge."""

import pytest

from evals.candidates import open_candidate
from evals.candidates.settings import CandidateSettings
from evals.judges import open_judges
from evals.judges.specs import KINDS, read_remote, read_specs
from evals.settings import JudgeSettings
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


SECRETS = ["http://me:hunter2@host/v1", "http://hunter2@host/v1", "https://host/v1?key=hunter2", "http://me:hunter2/@h"]


@pytest.mark.parametrize("url", SECRETS)
@pytest.mark.parametrize(("place", "kind"), [("OPENAI_BASE_URL", "openai"), ("OLLAMA_HOST", "ollama")])
def test_a_secret_in_the_address_from_the_environment_is_refused_and_not_shown(monkeypatch, url, place, kind):
    """Addresses are part of what is stored and reported."""
    monkeypatch.setenv(place, url)
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    for opened in (
        lambda: open_judges(JudgeSettings(judge=f"{kind}:model")),
        lambda: open_candidate(f"{kind}:model", CandidateSettings()),
    ):
        with pytest.raises(UserError, match=f"^{place}: ") as refused:
            opened()
        assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("url", SECRETS)
@pytest.mark.parametrize("option", ["--judge", "--candidate"])
def test_a_secret_in_an_address_that_was_typed_is_refused_and_not_shown(url, option):
    with pytest.raises(UserError, match=f"^{option} endpoint:model@...: ") as refused:
        read_remote(f"endpoint:model@{url}", option)
    assert "hunter2" not in str(refused.value)


def test_an_address_without_a_scheme(monkeypatch):
    monkeypatch.setenv("OPENAI_BASE_URL", "localhost:8000/v1")
    monkeypatch.setenv("OPENAI_API_KEY", "x")
    with pytest.raises(UserError, match="OPENAI_BASE_URL: this is no URL"):
        open_judges(JudgeSettings(judge="openai:model"))


class TestAPanelThatSharesAKey:
    MIXED = "openai:a,endpoint:b@http://one/v1,rubric"

    def test_in_a_file(self, monkeypatch, tmp_path):
        """OpenAI's key never goes to another server, whichever way it was given."""
        monkeypatch.delenv("JUDGE_API_KEY", raising=False)
        (tmp_path / "key").write_text("sk-very-secret")
        with pytest.raises(UserError, match="one key for the judges of a panel, and 2 servers that would get it"):
            open_judges(JudgeSettings(judge=self.MIXED, judge_key_file=tmp_path / "key"))

    def test_in_the_environment(self, monkeypatch):
        monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
        monkeypatch.setenv("JUDGE_API_KEY", "sk-of-one")
        assert len(open_judges(JudgeSettings(judge=self.MIXED))) == 3
        two = "endpoint:a@http://one/v1,endpoint:b@http://two/v1,rubric"
        with pytest.raises(UserError, match="2 servers that would get it: http://one/v1, http://two/v1"):
            open_judges(JudgeSettings(judge=two))
        monkeypatch.delenv("JUDGE_API_KEY")
        assert len(open_judges(JudgeSettings(judge=two))) == 3

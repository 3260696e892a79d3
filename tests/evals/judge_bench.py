"""Real judges against the fault-injecting server, without a whole pytest run around them; see the fixture ``bench``."""

from evals.judges import Judgement, open_judges
from evals.judging import Jury
from evals.settings import Settings
from evals.verdicts import VerdictStore

PAIRS = [Judgement("sci.space", "sci.space"), Judgement("rec.autos", "sci.space"), Judgement("sci.med", "sci.med")]
TRUE_SCORES = [1.0, 0.0, 1.0]


def spec(kind, url):
    """The same server as an OpenAI-compatible one, or as Ollama."""
    return f"endpoint:judge@{url}/v1" if kind == "endpoint" else f"ollama:judge@{url}"


class Bench:
    """Judges pairs with one store; ``lines`` is what the user would have seen."""

    def __init__(self, folder):
        self.store = folder / "verdicts.sqlite"
        self.lines = []

    def _open(self, judge, given):
        given = {"judge_retries": 2, "judge_timeout": 2, "judge_concurrency": 1} | given
        settings = Settings(judge=judge, **given)
        return VerdictStore(self.store), open_judges(settings), settings

    def judge(self, judge, pairs=PAIRS, *, preflight=False, **given):
        store, judges, settings = self._open(judge, given)
        with store, Jury(judges, store, settings) as jury:
            if preflight:
                jury.preflight(self.lines.append)
            return jury.judge(pairs, lambda title, total: lambda steps: None)

    def preflight(self, judge, **given):
        store, judges, settings = self._open(judge, given)
        with store, Jury(judges, store, settings) as jury:
            (examined,) = jury.preflight(self.lines.append).values()
            return examined

    def probe(self, judge, **given):
        store, judges, settings = self._open(judge, given)
        with store, Jury(judges, store, settings) as jury:
            return jury.probe(lambda title, total: lambda steps: None)


def scores(judging):
    return [pair.verdict.score for pair in judging.verdicts.values()]


def errors(judging):
    return [pair.verdict.error for pair in judging.verdicts.values()]

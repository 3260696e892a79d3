"""What is said of a judge before it is trusted with a run, and of a run before it is paid for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from evals.judges.asking import Examined
from evals.judges.ledger import estimated_tokens
from evals.settings import JudgeSettings
from fixtures.contracts.files import printable

__all__ = ["describe", "estimate"]

_ANSWER = '{"reason": "The actual output is exactly the expected category.", "score": 10}'
"""An answer of common length, to estimate with."""


def describe(spec: str, examined: Examined) -> Iterator[str]:
    """Lines about the answer to the known question: model, latency, schema, logprobs, score."""
    capabilities, reply = examined.capabilities, examined.reply
    held = f"answers held to the schema by {capabilities.schema}" if capabilities.schema else "no schema enforced"
    logprobs = "logprobs" if capabilities.logprobs else "no logprobs"
    yield (f"judge {spec}: model {printable(capabilities.model)} answered in {reply.seconds:.2f} s; {held}; {logprobs}")
    for note in capabilities.notes:
        yield f"  {printable(note)}"
    if examined.answer is None:
        yield f"  warning: its answer to a known question is no verdict: {printable(str(examined.problem))}"
    elif examined.answer.score < 8:
        yield (
            f"  warning: it gives a perfect answer {examined.answer.score:.3g} of 10; "
            "what it says of other answers may mean as little"
        )


def estimate(judgements: int, prompts: Sequence[str], settings: JudgeSettings) -> str:
    """What a run would need: calls are those that the store does not answer. Tokens are estimated by length."""
    tokens_in = sum(map(estimated_tokens, prompts))
    tokens_out = len(prompts) * estimated_tokens(_ANSWER)
    said = (
        f"dry run: {judgements:,} distinct judgements, {judgements - len(prompts):,} of them in the store; "
        f"{len(prompts):,} calls, about {tokens_in:,} tokens in and {tokens_out:,} out"
    )
    if settings.judge_price_in or settings.judge_price_out:
        cost = (tokens_in * settings.judge_price_in + tokens_out * settings.judge_price_out) / 1e6
        said += f", about {cost:.4g} by the given prices"
    return said + (", and one to five calls for the preflight" if prompts else "")

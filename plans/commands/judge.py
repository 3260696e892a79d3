"""``python -m plans judge``: the manifest of a judge's server in Knitfab's cluster."""

from __future__ import annotations

import argparse
from typing import Any

from rich.console import Console

from fixtures.contracts.settings import add_options, load_settings
from plans.rendering import write_judge
from plans.settings import AllSettings, JudgeSettings

__all__ = ["add_parser", "run"]


def add_parser(commands: Any) -> None:
    """Declare the command."""
    words = "write the Kubernetes manifest of a judge's server: Ollama, or vLLM"
    parser = commands.add_parser(
        "judge",
        help=words,
        description=words,
        epilog="Every setting may also stand in the environment as PLANS_<NAME>.",
        allow_abbrev=False,
    )
    add_options(parser.add_argument, JudgeSettings)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, console: Console) -> int:
    """Write the manifest; say what to do with it, and what the judge is called then."""
    given = {name: getattr(options, name) for name in JudgeSettings.model_fields}
    settings, _ = load_settings(JudgeSettings, given, whole=AllSettings)
    host, model = settings.judge_namespace, settings.judge_model
    judge = (
        f"ollama:{model}@http://ollama.{host}.svc:11434"
        if settings.judge_server == "ollama"
        else f"endpoint:{model}@http://vllm.{host}.svc:8000/v1"
    )
    console.print(f"kubectl apply -f {write_judge(settings)}\njudge in the cluster: {judge}")
    return 0

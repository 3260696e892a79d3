"""The command line ``python -m training``.

Nothing heavy is imported before the settings are known to be valid: help and
the messages for mistakes come at once.
"""

from __future__ import annotations

import importlib
import logging
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from fixtures.contracts.ending import ended
from fixtures.contracts.parser import Parser
from fixtures.contracts.settings import add_options, load_settings
from training.causal.settings import CausalSettings
from training.chat.settings import ChatSettings
from training.errors import TrainingFailed
from training.hosted.parser import add_hosted
from training.prefer.settings import PreferSettings
from training.pretrain.settings import PretrainSettings
from training.settings import ClassifySettings

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one sub-command; 0 if it succeeded, 2 for a mistake of the user, 1 for a failed training, 130 if stopped."""
    return ended(lambda: _run(arguments))


def _run(arguments: Sequence[str] | None) -> int:
    options = vars(_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        return int(command(options))
    except TrainingFailed as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


_SETTINGS_AND_RESUMING = (
    "Every setting may also stand in the config file, or in the environment as TRAINING_<NAME>. "
    "The same command after an interruption continues where the last checkpoint left off."
)


_CAUSAL: tuple[tuple[str, type[CausalSettings], str, str], ...] = (
    (
        "chat",
        ChatSettings,
        "fine-tune a language model on conversations",
        "Fine-tune a language model on conversations",
    ),
    (
        "pretrain",
        PretrainSettings,
        "go on pretraining a language model on plain text",
        "Go on pretraining a language model on text files, folders of them, or JSON Lines with a text key,",
    ),
    (
        "prefer",
        PreferSettings,
        "tune a chat model by preferences: a better and a worse answer",
        "Tune a chat model by preferences (DPO), pairs of a better and a worse answer,",
    ),
)
"""Fine-tuning of language models: name, settings, help, description. The story is training.<name>.story.<name>."""


def _parser() -> Parser:
    parser = Parser(prog="python -m training", description="Fine-tune language models.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    classify = commands.add_parser(
        "classify",
        help="fine-tune a text classifier",
        description="Fine-tune a text classifier and save it, checked and measured, in SAVE_TO/model.",
        epilog=_SETTINGS_AND_RESUMING,
        allow_abbrev=False,
    )
    add_options(classify.add_argument, ClassifySettings)
    classify.set_defaults(command=_classify)
    for name, kind, help_text, what in _CAUSAL:
        causal = commands.add_parser(
            name,
            help=help_text,
            description=f"{what} and save it, checked and measured, in SAVE_TO/model.",
            epilog=_SETTINGS_AND_RESUMING,
            allow_abbrev=False,
        )
        add_options(causal.add_argument, kind)
        causal.set_defaults(command=partial(_fine_tune, name, kind))
    data = commands.add_parser(
        "data",
        help="write a data set into a folder, as train.jsonl and test.jsonl",
        description="Write a data set into SAVE_TO as train.jsonl and test.jsonl, for --dataset SAVE_TO: "
        "a Run on a cluster gets its data as a folder.",
        allow_abbrev=False,
    )
    add_options(data.add_argument, ClassifySettings, only=("dataset", "remove", "save_to"))
    data.set_defaults(command=_data)
    diagnose = commands.add_parser(
        "diagnose",
        help="read learning curves: best checkpoint, over- or underfitting",
        description="Read the curves of a training: this project's output folder, a result file or the job events of "
        "hosted fine-tuning (OpenAI, Azure), Trainer's state or checkpoint, TensorBoard events. Name the best "
        "checkpoint and say underfitting, overfitting, healthy or cannot tell, with the evidence.",
        allow_abbrev=False,
    )
    diagnose.add_argument("log", type=Path, metavar="FILE|DIR", help="what the training logged")
    diagnose.add_argument("--out", type=Path, metavar="FILE", help="draw the curves to a .png or .svg file")
    diagnose.add_argument("--format", choices=("text", "json"), default="text", help="default: %(default)s")
    diagnose.set_defaults(command=_diagnose)
    add_hosted(commands)
    return parser


def _classify(options: dict[str, str | None]) -> int:
    settings, notes = load_settings(ClassifySettings, options, config_file=_path(options.get("config_file")))
    _prepare_environment(settings)
    # Imported late: this brings in torch and transformers, seconds and hundreds of megabytes.
    from training.classify import classify

    return _train(classify, settings, notes)


def _fine_tune(name: str, kind: type[CausalSettings], options: dict[str, str | None]) -> int:
    settings, notes = load_settings(kind, options, config_file=_path(options.get("config_file")))
    _prepare_environment(settings)
    # Imported late, like `classify`.
    story = getattr(importlib.import_module(f"training.{name}.story"), name)
    return _train(story, settings, notes)


def _train(
    story: Callable[[Any, Any, Any], Any], settings: ClassifySettings | CausalSettings, notes: Sequence[str]
) -> int:
    from rich.console import Console

    from training.tracking.session import Tracking

    # Under torchrun, one of the processes speaks for all.
    console = Console(highlight=False, soft_wrap=True, quiet=os.environ.get("RANK", "0") != "0")
    for note in notes:
        console.print(f"note: {note}", markup=False)
    try:
        with Tracking(settings.track, settings.save_to, console) as tracking:
            story(settings, console, tracking)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_interrupted(settings.save_to / "checkpoints")) from None
    return 0


def _interrupted(checkpoints: Path) -> str:
    from training.checkpoints import any_sealed

    if any_sealed(checkpoints):
        return f"interrupted; the same command goes on from the newest checkpoint in {checkpoints}"
    return "interrupted before the first checkpoint; the same command starts anew"


def _data(options: dict[str, str | None]) -> int:
    from training.export_data import export_data

    settings, _ = load_settings(ClassifySettings, options)
    dataset = export_data(settings.dataset, settings.remove, settings.save_to)
    for split, documents in dataset.splits.items():
        print(f"{settings.save_to / f'{split}.jsonl'}: {len(documents)} documents, digest {dataset.digest(split)[:12]}")
    return 0


def _diagnose(options: dict[str, Any]) -> int:
    from rich.console import Console

    from training.diagnosis import diagnose

    console = Console(highlight=False, soft_wrap=True)
    diagnose(options["log"], out=options["out"], as_data=options["format"] == "json", console=console)
    return 0


def _path(value: str | None) -> Path | None:
    return Path(value) if value else None


def _prepare_environment(settings: ClassifySettings | CausalSettings) -> None:
    """What libraries read at import: no telemetry, and no network unless a hub id was named."""
    from training.base_models import is_hub_id
    from training.processes import refuse_sharding
    from training.tracking.choice import prepare

    refuse_sharding()
    prepare(settings.track)
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["DISABLE_TELEMETRY"] = "1"
    if not is_hub_id(settings.base_model):
        os.environ["HF_HUB_OFFLINE"] = "1"
    # On a CPU it looks for kernels on the hub and complains that it may not; peft imports it unasked.
    logging.getLogger("bitsandbytes").setLevel(logging.CRITICAL)
    # Forking after the tokenizer's threads started makes it print a warning per process.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    device = settings.device
    if device.startswith("cuda:") and device[5:].isdigit() and "CUDA_VISIBLE_DEVICES" not in os.environ:
        # Trainer spreads over every GPU it sees; one was asked for.
        os.environ["CUDA_VISIBLE_DEVICES"] = device[5:]


if __name__ == "__main__":
    sys.exit(main())

"""Options of commands that ask one question: validated like settings, but from the command line alone."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from fixtures.contracts.settings import load_settings

if TYPE_CHECKING:
    from evals.reports import Report

__all__ = ["CommandOptions", "open_report", "options_of"]

Options = TypeVar("Options", bound="CommandOptions")


class CommandOptions(BaseSettings):
    """A base without environment and config file: a question is asked once."""

    model_config = SettingsConfigDict(extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What the command line gave, and nothing else."""
        return (init_settings,)


def options_of(model: type[Options], options: argparse.Namespace) -> Options:
    """Validated options. Raises UserError naming the option, the value and what is allowed."""
    given = {name: getattr(options, name) for name in model.model_fields}
    return load_settings(model, given, whole=model)[0]


def open_report(path: Path) -> tuple[Report, Path]:
    """A report, given its file or its folder, and the file."""
    from evals.reports import read_report

    file = path / "report.json" if path.is_dir() else path
    return read_report(file), file

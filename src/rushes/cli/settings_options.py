"""The options of every command that encodes, and the settings that they make."""

from collections.abc import Callable
from typing import Any, get_args

import click

from rushes.engine.settings import Quality, Settings


class RungList(click.ParamType[tuple[int, ...]]):
    """ "1080p,720p" or "1080,720": short sides of pictures, in lines."""

    name = "rungs"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """The numbers; a value that is no such list ends the command with its reason."""
        if isinstance(value, tuple):
            return value
        try:
            return Settings(
                rungs=tuple(int(name.strip().removesuffix("p")) for name in value.split(","))
            ).rungs
        except ValueError as error:
            self.fail(f"{value!r} is not a list like 1080p,720p,360p: {error}", param, ctx)


def settings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--rungs`, `--quality` and `--no-copy`: the arguments of `settings_of`."""
    default = Settings()
    for option in (
        click.option(
            "--no-copy",
            "copy",
            flag_value=False,
            default=True,
            help="Encode even what could be used as it is.",
        ),
        click.option(
            "--quality",
            type=click.Choice(get_args(Quality)),
            default=default.quality,
            show_default=True,
            help="How much picture for how many bits.",
        ),
        click.option(
            "--rungs",
            type=RungList(),
            default=",".join(f"{lines}p" for lines in default.rungs),
            show_default=True,
            help="Qualities to make, by the lines of the short side.",
        ),
    ):
        command = option(command)
    return command


def settings_of(rungs: tuple[int, ...], quality: Quality, copy: bool) -> Settings:
    """The settings that the options ask for."""
    return Settings(rungs=rungs, quality=quality, copy=copy)

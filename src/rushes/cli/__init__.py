"""The `rushes` command. A subcommand's module is imported only when it is called, so that each starts fast."""

import importlib
from typing import NamedTuple

import click

from rushes import __version__
from rushes.engine import EngineError


class LazyCommand(NamedTuple):
    """Where a subcommand lives, and the line that `rushes --help` shows for it; none: it is not shown."""

    module: str
    attribute: str
    summary: str


COMMANDS = {
    "up": LazyCommand("rushes.cli.up", "up", "Run the whole product; `make run` calls it."),
    "serve": LazyCommand("rushes.cli.serve", "serve", "Serve pages, API and streams."),
    "worker": LazyCommand("rushes.cli.worker", "worker", "Take jobs and run them."),
    "jobs": LazyCommand("rushes.cli.jobs", "jobs", "Look at jobs, retry and cancel them, drain queues."),
    "engine-worker": LazyCommand("rushes.cli.engine_worker", "engine_worker", ""),
    "standby": LazyCommand("rushes.cli.standby", "standby", ""),
    "manage": LazyCommand("rushes.cli.manage", "manage", "Run a command of Django's, such as migrate."),
    "encode": LazyCommand("rushes.cli.encode", "encode", "Make the finished streams of a video."),
    "play": LazyCommand("rushes.cli.play", "play", "Serve a video at once, encoding while it is watched."),
    "probe": LazyCommand("rushes.cli.probe", "probe", "Describe every stream of a video."),
    "upload": LazyCommand("rushes.cli.upload", "upload", "Send a video to a running Rushes."),
    "doctor": LazyCommand("rushes.cli.doctor", "doctor", "Say whether this machine has what Rushes needs."),
}


class LazyGroup(click.Group):
    """A group that imports a subcommand when it is called, and shows the engine's errors as one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the subcommands, in the order in which people need them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the subcommand `cmd_name`; None when there is none of that name."""
        lazy = COMMANDS.get(cmd_name)
        if lazy is None:
            return None
        command: click.Command = getattr(importlib.import_module(lazy.module), lazy.attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the subcommands from the table, without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, lazy.summary) for name, lazy in COMMANDS.items() if lazy.summary])

    def invoke(self, ctx: click.Context) -> object:
        """Run the subcommand; an error of the engine ends as one line on stderr and exit status 1."""
        try:
            return super().invoke(ctx)
        except EngineError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="rushes")
def main() -> None:
    """Take any video and make it watchable everywhere, starting seconds from now."""

"""`rushes standby`: beside the worker of an engine, which starts it; see `rushes.jobs.delivery.standby`."""

from __future__ import annotations

import signal

import click

from rushes.cli.product import leash_option, raise_open_files, set_up_django


@click.command(hidden=True)
@click.option("--name", required=True, help="The worker that it stands beside.")
@click.option(
    "--slots", multiple=True, metavar="A=2", help="A queue that it serves and its slots; repeatable."
)
@click.option("--never-works", is_flag=True, help="Sweep and announce only.")
@leash_option
def standby(name: str, slots: tuple[str, ...], never_works: bool) -> None:
    """Sweep, announce, and work while the engine is away."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal's Ctrl-C is for the worker, which then ends this
    set_up_django()
    raise_open_files()
    from rushes.jobs.delivery.engine import chosen
    from rushes.jobs.delivery.standby import Standby
    from rushes.jobs.slots import parse_slots

    engine = chosen()
    if engine is None:
        raise click.ClickException("RUSHES_DELIVERY is database: its workers need nobody beside them.")
    standing = Standby(engine, name=name, slots=parse_slots(",".join(slots)), embeds=not never_works)
    signal.signal(signal.SIGTERM, lambda *_: standing.stop())
    standing.run()

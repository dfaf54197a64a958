"""`rushes jobs drain` and `resume`: queues of which nothing begins for a while."""

from __future__ import annotations

import getpass
import json
import sys
import time

import click

from rushes.cli.jobs_chosen import json_option, ledger_at_hand, queues_named

LOOK_S = 0.5  # how often a drain looks


@click.command()
@click.argument("queues", metavar="[QUEUE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All queues.")
@click.option("--wait/--no-wait", default=True, help="Wait until nothing of them is in work. [wait]")
@click.option(
    "--timeout", type=click.FloatRange(0), metavar="SECONDS", help="Wait at most so long; then status 1."
)
@json_option
def drain(
    queues: tuple[str, ...], everything: bool, wait: bool, timeout: float | None, as_json: bool
) -> None:
    """Let no more jobs of QUEUE begin, on any worker, and wait until those in work have ended.

    New jobs are taken in and wait. `rushes jobs resume QUEUE` lets them begin again; until then the queue stays
    drained, also after a restart.
    """
    with ledger_at_hand():
        from rushes.jobs import pausing

        names = queues_named(queues, everything)
        for name in names:
            pausing.pause(name, by=getpass.getuser())
        left = (
            _wait_for(names, timeout, quiet=as_json)
            if wait
            else {name: pausing.in_work(name) for name in names}
        )
        if as_json:
            click.echo(json.dumps({"drained": names, "in_work": left}))
        else:
            for name in names:
                rest = f"{left[name]} still in work" if left[name] else "nothing in work"
                click.echo(f"{name}: drained, {rest}; rushes jobs resume {name} ends that")
        if wait and any(left.values()):
            sys.exit(1)


@click.command()
@click.argument("queues", metavar="[QUEUE]...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All queues.")
@json_option
def resume(queues: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """Let jobs of a drained QUEUE begin again."""
    with ledger_at_hand():
        from rushes.jobs import pausing

        names = queues_named(queues, everything)
        resumed = [name for name in names if pausing.resume(name)]
        if as_json:
            click.echo(json.dumps({"resumed": resumed}))
            return
        for name in names:
            click.echo(f"{name}: " + ("its jobs begin again" if name in resumed else "was not drained"))


def _wait_for(names: list[str], timeout_s: float | None, *, quiet: bool) -> dict[str, int]:
    """Until nothing of the queues is in work; what was at the end."""
    from rushes.jobs import pausing

    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    said: dict[str, int] = {}
    try:
        while True:
            left = {name: pausing.in_work(name) for name in names}
            if not any(left.values()) or (deadline_s is not None and time.monotonic() >= deadline_s):
                return left
            if left != said and not quiet:
                waits = ", ".join(f"{count} of {name}" for name, count in left.items() if count)
                click.echo(f"In work: {waits} …", err=True)
            said = left
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        click.echo("Not waited for to its end; the queues stay drained.", err=True)
        return left

"""What `rushes encode` says: a bar for a person, lines for a log file, JSON for machines."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from rushes.engine.events import Status
from rushes.engine.plan import Plan
from rushes.engine.session import Session

PLAIN_LINE_S = 5.0  # between progress lines where nobody looks at a terminal

Show = Callable[[Status], None]


def report_for(*, as_json: bool) -> "Plain":
    """The report for where stdout goes."""
    if as_json:
        return Json()
    return Rich() if sys.stdout.isatty() else Plain()


class Plain:
    """Lines for a log file."""

    def begin(self, plan: Plan) -> None:
        """Say what will be made."""
        click.echo(f"{float(plan.duration_s):.2f} s: {_names(plan)}")
        if plan.copy_refusal is not None and plan.rungs:
            click.echo(f"The picture is encoded, not copied: {plan.copy_refusal}.")

    @contextmanager
    def running(self) -> Iterator[Show]:
        """A function that shows how far it is, as long as the block lasts."""
        said_s = time.monotonic()

        def show(status: Status) -> None:
            nonlocal said_s
            if time.monotonic() - said_s >= PLAIN_LINE_S:
                said_s = time.monotonic()
                click.echo(_line(status))

        yield show

    def end(self, plan: Plan, session: Session, status: Status, wall_s: float) -> None:
        """Say what came of it; an error is left to the caller."""
        for warning in status.warnings:
            click.echo(f"Warning: {warning}", err=True)
        if status.error is None:
            pace = float(plan.duration_s) / wall_s
            click.echo(f"Done in {wall_s:.1f} s ({pace:.1f}x): {session.folder / 'master.m3u8'}")


class Rich(Plain):
    """A bar for a person."""

    @contextmanager
    def running(self) -> Iterator[Show]:
        """A function that moves the bar; the bar is gone after the block."""
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # slow to import

        columns = (
            TextColumn("Encoding"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[rest]}"),
        )
        with Progress(*columns, transient=True) as bar:
            task = bar.add_task("", total=1.0, rest="")

            def show(status: Status) -> None:
                speed = f"{status.speed:.1f}x" if status.speed else ""
                eta = f"{_clock(status.eta_s)} left" if status.eta_s is not None else ""
                bar.update(task, completed=status.progress, rest=f"{speed} {eta}")

            yield show


class Json(Plain):
    """A line of JSON for each change of progress, and one for the result."""

    def begin(self, plan: Plan) -> None:
        """The first line: what will be made."""
        click.echo(json.dumps({"state": "encoding", "progress": 0.0, "renditions": _names(plan).split(", ")}))

    @contextmanager
    def running(self) -> Iterator[Show]:
        """A function that writes a line whenever another percent is done."""
        last = -1

        def show(status: Status) -> None:
            nonlocal last
            percent = int(status.progress * 100)
            if percent != last:
                last = percent
                fields = {"state": status.state, "progress": round(status.progress, 4)}
                click.echo(json.dumps(fields | {"speed": status.speed, "eta_s": status.eta_s}))

        yield show

    def end(self, plan: Plan, session: Session, status: Status, wall_s: float) -> None:
        """The last line: the result, an error included."""
        click.echo(json.dumps(_result(plan, session, status, wall_s)))


def _line(status: Status) -> str:
    speed = f", {status.speed:.1f}x" if status.speed else ""
    eta = f", about {_clock(status.eta_s)} left" if status.eta_s is not None else ""
    return f"{status.progress * 100:.0f} %{speed}{eta}"


def _result(plan: Plan, session: Session, status: Status, wall_s: float) -> dict[str, Any]:
    return {
        "state": status.state,
        "master": str(session.folder / "master.m3u8"),
        "duration_s": float(plan.duration_s),
        "rungs": [
            {"name": rung.name, "width": rung.width, "height": rung.height, "method": rung.method}
            for rung in plan.rungs
        ],
        "audio": [{"name": track.name, "method": track.method} for track in plan.audio],
        "copy_refusal": plan.copy_refusal,
        "encoded_chunks": session.encoded_chunks,
        "wall_s": round(wall_s, 3),
        "ffmpeg_wall_s": round(session.ffmpeg_wall_s, 3),
        "ffmpeg_cpu_s": round(session.ffmpeg_cpu_s, 3),
        "warnings": list(status.warnings),
        "error": status.error,
    }


def _names(plan: Plan) -> str:
    video = [f"{rung.name}{' (copied)' if rung.method == 'copy' else ''}" for rung in plan.rungs]
    audio = [f"{track.name}{' (copied)' if track.method == 'copy' else ''}" for track in plan.audio]
    return ", ".join(video + audio)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"

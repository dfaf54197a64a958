"""scripts/test_video_processing.py: sends a test video through the real queue and says how long each stage took."""

from __future__ import annotations

import http.client
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click

from rushes.cli.product import is_healthy, set_up_django
from rushes.cli.trial_ways import Broken, InProcess, OverHttp, Way
from rushes.cli.upload import credentials
from rushes.engine import EngineError

DURATION_S = 6
LOOK_S = 0.1
MAKE_LIMIT_S = 60.0
LOOK_LIMIT_S = 5.0  # for an instance to say that it is there


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--url", help="Where Rushes runs. [that of RUSHES_VAR/credentials.json]")
@click.option("--token", envvar="RUSHES_TOKEN", help="An API key that may submit. [that of credentials.json]")
@click.option(
    "--in-process", is_flag=True, help="By the database alone, with its workers; also where a web answers."
)
@click.option(
    "--timeout", type=click.FloatRange(1), default=300, show_default=True, help="Seconds, for all stages."
)
@click.option("--keep", is_flag=True, help="Leave the test video there.")
@click.option("--json", "as_json", is_flag=True, help="The stages as JSON.")
def trial(
    url: str | None, token: str | None, in_process: bool, timeout: float, keep: bool, as_json: bool
) -> None:
    """Send a test video through the real queue and report each stage. Exit status 0: all of them came, 1: not.

    Over HTTP where an instance runs (--url and --token, or RUSHES_VAR/credentials.json), else into the database of this
    environment. A worker has to run in either case.
    """
    way = _way(url, token, in_process)
    report = Report(as_json=as_json, where=way.where)
    try:
        _run(way, report, time.monotonic() + timeout, keep=keep)
    except Broken as error:
        report.end(str(error))
    except OSError as error:
        report.end(f"{way.where} does not answer: {error.strerror or error}")
    except (EngineError, http.client.HTTPException, click.ClickException) as error:
        report.end(error.message if isinstance(error, click.ClickException) else str(error))
    except Exception as error:
        if not _of_the_database(error):
            raise
        report.end(f"the database can't be used: {' '.join(str(error).split())}")
    else:
        report.end(None)


class Report:
    """Says each stage when it comes, or all of them as JSON at the end."""

    def __init__(self, *, as_json: bool, where: str) -> None:
        self._as_json = as_json
        self._began_s = time.monotonic()
        self._told: dict[str, Any] = {"where": where, "public_id": None, "stages": []}
        self._say(f"Through {where}")

    def stage(self, name: str, words: str = "") -> None:
        """A stage has come."""
        at_s = time.monotonic() - self._began_s
        self._told["stages"].append({"stage": name, "at_s": round(at_s, 3), "detail": words})
        self._say(f"{click.style('ok', fg='green')} {at_s:6.2f} s  {name:<10} {words}".rstrip())

    def video(self, public_id: str) -> None:
        """Which video it is."""
        self._told["public_id"] = public_id

    def end(self, error: str | None) -> None:
        """All that is to be said is said; ends the process."""
        total_s = time.monotonic() - self._began_s
        if self._as_json:
            self._told |= {"healthy": error is None, "error": error, "total_s": round(total_s, 3)}
            click.echo(json.dumps(self._told, indent=2))
        elif error is None:
            click.echo(click.style(f"Video processing works: {total_s:.1f} s in all", fg="green"))
        else:
            click.echo(click.style(f"Failed after {total_s:.1f} s: {error}", fg="red"), err=True)
        sys.exit(0 if error is None else 1)

    def _say(self, line: str) -> None:
        if not self._as_json:
            click.echo(line)


def _run(way: Way, report: Report, deadline_s: float, *, keep: bool) -> None:
    with tempfile.TemporaryDirectory(prefix="rushes-test-") as folder:
        path = Path(folder) / "test video.mp4"
        make_video(path)
        report.stage("made", f"{DURATION_S} s, {path.stat().st_size} bytes")
        public_id = way.send(path)
    report.video(public_id)
    report.stage("sent", f"video {public_id}")
    try:
        _follow(way, report, deadline_s)
        report.stage("played", way.play())
    finally:
        if not keep:
            way.remove()
    if not keep:
        report.stage("removed")


def _follow(way: Way, report: Report, deadline_s: float) -> None:
    """Each stage as it comes, until the video is ready. Raises Broken."""
    wanted = ["begun", "playable", "ready"]
    while wanted:
        video = way.look()
        status = video["status"]
        if status == "failed":
            raise Broken(f"the video failed: {video['error'] or 'no reason was given'}")
        there = {
            "begun": status not in ("uploading", "pending"),
            "playable": bool(video["playable"]),
            "ready": status == "ready",
        }
        while wanted and there[wanted[0]]:
            name = wanted.pop(0)
            worker = video.get("worker")
            report.stage(name, f"by {worker}" if worker and name == "begun" else "")
        if wanted and time.monotonic() > deadline_s:
            hint = (
                "is a worker alive? See manage.py check_worker" if wanted[0] == "begun" else "see rushes jobs"
            )
            raise Broken(f"it is not {wanted[0]} in time (status {status}): {hint}")
        if wanted:
            time.sleep(LOOK_S)


def make_video(path: Path) -> None:
    """A moving picture with a tone, in codecs that have to be encoded anew. Raises EngineError."""
    from rushes.engine.binaries import toolchain
    from rushes.engine.process import run_tool

    argv = [
        *(str(toolchain().ffmpeg.path), "-hide_banner", "-nostdin", "-v", "error"),
        *("-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25"),
        *("-f", "lavfi", "-i", "sine=sample_rate=48000"),
        *("-t", str(DURATION_S), "-c:v", "mpeg4", "-q:v", "5", "-c:a", "aac", path.name),
    ]
    made = run_tool(argv, wall_limit_s=MAKE_LIMIT_S, scratch=path.parent)
    if made.returncode != 0:
        raise EngineError(f"ffmpeg could not make the test video: {made.stderr.strip()}")


def _way(url: str | None, token: str | None, in_process: bool) -> Way:
    if in_process:
        if url:
            raise click.UsageError("--url and --in-process are two different ways.")
        set_up_django()
        return InProcess()
    kept = Path(os.environ.get("RUSHES_VAR", "./var")) / "credentials.json"
    if url or token or kept.exists():
        address, key = credentials(url, token)
        if url or is_healthy(address, LOOK_LIMIT_S):
            return OverHttp(address, key)
        click.echo(f"{address} ({kept}) does not answer; trying the database itself.", err=True)
    set_up_django()
    return InProcess()


def _of_the_database(error: Exception) -> bool:
    from django.db import Error

    return isinstance(error, Error)

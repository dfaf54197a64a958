"""`manage.py retry_videos`: brings videos back that failed, are stuck, or have no job any more."""

from __future__ import annotations

import json
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import Error

from rushes.jobs.census import age_words
from rushes.jobs.reasons import one_line
from rushes.pipeline.recovery import (
    STUCK_AFTER_S,
    Action,
    Outcome,
    Why,
    bring_back,
    stalled_videos,
)
from rushes.videos.models import Video
from rushes.videos.references import UnknownVideo, find_video


class Command(BaseCommand):
    """Exit status 0: each of them goes on or needs nothing, 1: one can't be brought back, or is not there."""

    help = (
        "Bring back videos that failed, were stuck for 15 minutes, or have no job any more: all, or those that are "
        "named. What is there of them is kept. Exit status 1 where one can't be brought back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Which, and how to say it."""
        parser.add_argument(
            "videos", nargs="*", metavar="VIDEO", help="public id or primary key; none: all that don't get on"
        )
        parser.add_argument(
            "--only",
            choices=[why.value for why in Why],
            help="of all, those that don't get on for this reason",
        )
        parser.add_argument("--dry-run", action="store_true", help="only say what would be done")
        parser.add_argument("--json", action="store_true", dest="as_json", help="the outcomes as JSON")

    def handle(
        self, *args: Any, videos: list[str], only: str | None, dry_run: bool, as_json: bool, **options: Any
    ) -> None:
        """Find them, bring them back, say what came of each."""
        if videos and only:
            raise CommandError("--only chooses among all videos; name none, or leave it out.")
        try:
            found = [(video, "") for video in self._named(videos)] if videos else _all(only)
            outcomes = [(why, bring_back(video, pretend=dry_run)) for video, why in found]
        except UnknownVideo as error:
            raise CommandError(str(error)) from error
        except Error as error:
            reason = " ".join(str(error).split())
            raise CommandError(
                f"The database can't be used: {reason}; see DATABASE_URL and migrate."
            ) from error
        impossible = sum(outcome.action == Action.IMPOSSIBLE for _, outcome in outcomes)
        if as_json:
            told = [_told(outcome) for _, outcome in outcomes]
            self.stdout.write(json.dumps({"dry_run": dry_run, "videos": told}, indent=2))
        else:
            self._show(outcomes, dry_run=dry_run)
        if impossible:
            sys.exit(1)

    def _named(self, references: list[str]) -> list[Video]:
        """All of them, before anything is done for one."""
        return list({video.pk: video for video in map(find_video, references)}.values())

    def _show(self, outcomes: list[tuple[str, Outcome]], *, dry_run: bool) -> None:
        for why, outcome in outcomes:
            style = {
                Action.IMPOSSIBLE: self.style.ERROR,
                Action.BEGUN: self.style.SUCCESS,
                Action.HASTENED: self.style.WARNING,
            }.get(outcome.action, str)
            video = outcome.video
            self.stdout.write(f"{video.public_id} ({video.pk}) {video}")
            if why:
                self.stdout.write(f"  {why}")
            self.stdout.write(f"  {style(outcome.words)}")
        if not outcomes:
            self.stdout.write(self.style.SUCCESS("No video failed or is stuck."))
            return
        going = sum(outcome.action in (Action.BEGUN, Action.HASTENED) for _, outcome in outcomes)
        would = "would be brought back; nothing was changed" if dry_run else "brought back"
        self.stdout.write(f"{going} of {len(outcomes)} {would}.")


def _all(only: str | None) -> list[tuple[Video, str]]:
    found = stalled_videos(stuck_after_s=STUCK_AFTER_S)
    return [
        (entry.video, f"{entry.why} for {age_words(entry.silent_s)}: {one_line(entry.words)}")
        for entry in found
        if only in (None, entry.why)
    ]


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "public_id": outcome.video.public_id,
        "id": outcome.video.pk,
        "action": outcome.action.value,
        "job": outcome.job,
        "message": outcome.words,
    }

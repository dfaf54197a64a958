"""What must be true of ledger and disk when all is done, whatever was killed on the way."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path

from django.db.models import Q

from rushes.engine.plan import Plan, Rung, from_json
from rushes.engine.store import FolderStore
from rushes.engine.verify import verify_offsets, verify_rendition
from rushes.jobs.models import OPEN, Job, Status
from rushes.videos.models import Chunk, Encode, Video, VideoStatus

#: What a published folder holds; scratch and half-written files have other names.
_PUBLISHED = re.compile(
    r"(init\.mp4|\d+\.m4s|(index|video|audio|subs|iframes|master(-hevc|-av1)?)\.m3u8|(all|\d+)\.vtt|manifest\.mpd)"
)


def work_left() -> list[str]:
    """Open jobs that are due; what is put off to a later day (retention of old segments) does not count."""
    later = Q(status=Status.PENDING, kind="retire")
    return [str(job) for job in Job.objects.filter(status__in=OPEN).exclude(later)]


def check_ledger() -> None:
    """No job was lost or failed, none committed twice, every chunk is recorded once. Raises AssertionError."""
    assert work_left() == []
    failed = Job.objects.filter(status=Status.FAILED)
    assert [f"{job}: {job.error}" for job in failed] == []
    for job in Job.objects.filter(status=Status.COMPLETED):
        # Every claim ended once: by a lost lease or a killed program, by an error, and the last one by the commit.
        assert job.claim == job.interruptions + job.failures + 1, f"{job}: {job.claim} claims"
    for encode in Encode.objects.all():
        plan = from_json(encode.plan_json)
        for rendition in encode.renditions.all():
            promised = plan.rendition(rendition.name).timeline.chunk_count
            done = Chunk.objects.filter(rendition=rendition, state="done").values_list("index", flat=True)
            assert sorted(done) == list(range(promised)), f"{rendition}: chunks {sorted(done)}"
            assert rendition.chunk_count == rendition.chunks_done == promised, str(rendition)


def check_videos(media: Path) -> None:
    """Every video is ready, and its published files are what its plan promises. Raises AssertionError."""
    for video in Video.objects.select_related("active_encode"):
        assert (video.status, video.error) == (VideoStatus.READY, ""), (
            f"{video}: {video.status}, {video.error}"
        )
        assert video.active_encode is not None
        plan, store = plan_of(video), store_of(video, media)
        for rendition in plan.renditions:
            verify_rendition(plan, rendition, store)
        verify_offsets(plan, store)
        pictures = ("thumbnail", "storyboard", "preview") if plan.rungs else ("thumbnail",)
        for what in ("mp4", "poster", *pictures):
            name = getattr(video.active_encode, what)
            assert name, f"{video} lacks its {what}: {video.warnings}"
            assert (media / name).stat().st_size > 0
        strangers = [
            path for path in store.root.rglob("*") if path.is_file() and not _PUBLISHED.fullmatch(path.name)
        ]
        assert strangers == []


def check_bytes(video: Video, media: Path, undisturbed: Path) -> None:
    """Every init and segment equals that of `rushes encode` into the folder `undisturbed`. Raises AssertionError."""
    ours, theirs = (
        _digests(plan_of(video), store_of(video, media).root),
        _digests(plan_of(video), undisturbed),
    )
    assert ours == theirs


def check_served(digests: dict[str, set[str]], media: Path) -> int:
    """Every segment that somebody was served is the one that lies there now; how many there were."""
    keys = dict(Video.objects.values_list("public_id", "pk"))
    for path, served in digests.items():
        public_id, _, name = path.removeprefix("/api/video/").partition("/")
        final = hashlib.sha256((media / "hls" / str(keys[public_id]) / name).read_bytes()).hexdigest()
        assert served == {final}, f"{path} was served in {len(served)} versions"
    return len(digests)


def leftovers(*roots: Path) -> list[Path]:
    """Every file and every run's folder below scratch and incoming."""
    return [
        path
        for root in roots
        if root.exists()
        for path in root.rglob("*")
        if path.is_file() or path.name.startswith("run-")
    ]


def how_jobs_ended() -> Counter[str]:
    """How many jobs ended how, and how often they were interrupted: for the test's report."""
    ended = Counter(Job.objects.values_list("status", flat=True))
    ended["interruptions"] = sum(Job.objects.values_list("interruptions", flat=True))
    return ended


def plan_of(video: Video) -> Plan:
    """The plan that viewers get."""
    assert video.active_encode is not None
    return from_json(video.active_encode.plan_json)


def store_of(video: Video, media: Path) -> FolderStore:
    """Where the video's segments lie."""
    return FolderStore(media / "hls" / str(video.pk))


def _digests(plan: Plan, root: Path) -> dict[str, str]:
    found = {}
    for rendition in plan.renditions:
        names = [rendition.init_name, *map(rendition.segment_name, range(rendition.timeline.segment_count))]
        for name in names:
            found[name] = hashlib.sha256((root / name).read_bytes()).hexdigest()
    assert found
    assert all(isinstance(rung, Rung) for rung in plan.rungs)
    return found

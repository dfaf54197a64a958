"""Kind `mp4`: the download, put together from finished renditions, and from ones that are made for it alone."""

from __future__ import annotations

from functools import partial

from django.db import transaction

from rushes.engine.assembly import BrokenPromise, ForeignInit
from rushes.engine.chunk import Bench, Watch, make_audio_chunk, make_video_chunk
from rushes.engine.download import download_of
from rushes.engine.mp4 import write_mp4
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.process import scratch_folder
from rushes.engine.store import SegmentStore
from rushes.jobs.handlers import Claimed, Report
from rushes.jobs.queues import HOUR_S
from rushes.videos.models import Encode
from rushes.videos.store import MediaStore, hls_store

from . import workshop
from .making import Fields, OutputHandler, TryAgain
from .outputs import MP4_OUTPUT, mp4_name
from .plans import plan_of

_ENCODED = 95  # per cent, when all that is left is putting it together


class Mp4Handler(OutputHandler):
    """A remux where finished renditions are what the download is to be, else an encode of its own.

    That is made in the plan's chunks, which lie beside the streams until the end: what was interrupted goes on where
    it was, and between two chunks others get the CPU slot.
    """

    output = MP4_OUTPUT
    limit_s = 24 * HOUR_S  # an hour of 4K is encoded by one core in several

    def make(self, plan: Plan, encode: Encode, report: Report) -> Fields:
        """See OutputHandler."""
        download = download_of(plan)
        try:
            _encode(plan, download.own, encode, report)
            report.progress(_ENCODED, "Putting the MP4 together")
            with scratch_folder(workshop.scratch()) as folder:
                target = folder / "video.mp4"
                write_mp4(
                    plan,
                    download.rung,
                    download.track,
                    hls_store(encode.video_id),
                    target,
                    ffmpeg=workshop.tools().ffmpeg.path,
                    scratch=folder / "remux",
                    cancel=report.cancel,
                )
                MediaStore().put_durably(mp4_name(encode), target)
        except (BrokenPromise, ForeignInit) as error:
            if not download.own:
                raise
            remove_parts(
                encode
            )  # a loss of power may have taken some of them, or another build of ffmpeg made them
            raise TryAgain(str(error)) from error
        return {"mp4": mp4_name(encode)}

    def commit(self, job: Claimed, result: Fields | None) -> None:
        """What was made for it alone is in it now."""
        super().commit(job, result)
        _remove_parts_after(job.args["encode"])

    def failed(self, job: Claimed, reason: str) -> None:
        """Without it, nothing needs its parts."""
        super().failed(job, reason)
        _remove_parts_after(job.args["encode"])


def remove_parts(encode: Encode) -> None:
    """Remove what was made for the download of this encode alone."""
    for rendition in download_of(plan_of(encode.pk)).own:
        hls_store(encode.video_id).delete_folder(rendition.folder)


def _remove_parts_after(encode_id: int) -> None:
    encode = Encode.objects.filter(pk=encode_id).defer("plan_json").first()
    if encode is not None:
        transaction.on_commit(lambda: remove_parts(encode))


def _encode(plan: Plan, own: tuple[Rung | AudioTrack, ...], encode: Encode, report: Report) -> None:
    bench = Bench(
        ffmpeg=workshop.tools().ffmpeg.path,
        source=workshop.source_path(encode),
        store=hls_store(encode.video_id),
        scratch=workshop.scratch(),
    )
    slots = workshop.slots()
    total = sum(rendition.timeline.chunk_count for rendition in own)
    done = 0
    for rendition in own:
        for chunk in range(rendition.timeline.chunk_count):
            if not _is_there(rendition, chunk, bench.store):
                with slots.background(report.cancel) as slot:
                    watch = Watch(
                        nice=workshop.BACKGROUND_NICE,
                        gives_way=partial(slots.must_give_way, slot),
                        cancel=report.cancel,
                    )
                    if isinstance(rendition, Rung):
                        make_video_chunk(plan, [rendition], chunk, bench, watch)
                    else:
                        make_audio_chunk(plan, rendition, chunk, bench, watch)
            done += 1
            report.progress(_ENCODED * done // total, "Encoding the MP4")


def _is_there(rendition: Rung | AudioTrack, chunk: int, store: SegmentStore) -> bool:
    """Whether an earlier attempt has made it: each segment is there whole or not at all."""
    segments = rendition.timeline.chunk_segments(chunk)
    names = [rendition.init_name, *map(rendition.segment_name, segments)]
    return all(store.size_bytes(name) for name in names)

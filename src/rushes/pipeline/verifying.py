"""A finished encode held against its plan: what is recorded, what its headers say, what a decoder makes of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from zlib import crc32

from rushes.engine.decodable import runs, undecodable_chunks
from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.store import FolderStore
from rushes.engine.verify import DamagedInit, broken_chunks
from rushes.jobs.handlers import Report
from rushes.videos.models import Chunk, Encode
from rushes.videos.store import hls_store

from . import workshop
from .chunks import unpack_sizes
from .marks import Place

Broken = dict[Place, str]  # and what is wrong there


def broken_places(plan: Plan, encode: Encode, report: Report) -> tuple[Broken, Broken]:
    """Chunks of a complete encode whose files are not as recorded or promised; and those that do not decode.

    A rendition that has some of the first kind is not decoded: they are made again first.
    Raises Interrupted, NoRoom, NotWritable.
    """
    store = hls_store(encode.video_id)
    broken: Broken = {}
    to_decode: list[tuple[Rung | AudioTrack, range]] = []
    for rendition in plan.renditions:
        report.progress(10, f"Verifying {rendition.name}")
        found = _by_headers(plan, rendition, encode, store)
        broken |= found
        if not found:
            to_decode += [(rendition, chunks) for chunks in runs(rendition.timeline)]
    report.progress(15, "Verifying by decoding")
    # Beyond what was planned with, warnings are of chunks that did not decode well.
    clean_source = set(encode.warnings) <= set(plan.warnings)

    def decode(run: tuple[Rung | AudioTrack, range]) -> Broken:
        return _by_decoding(plan, *run, store, report, clean_source=clean_source)

    undecodable: Broken = {}
    # As many at once as may have a slot: the slots are what governs, here as everywhere.
    with ThreadPoolExecutor(max_workers=workshop.slots().count, thread_name_prefix="verify") as pool:
        for found in pool.map(decode, to_decode):
            undecodable |= found
    return broken, undecodable


def forget_inits(plan: Plan, places: Broken, store: FolderStore) -> None:
    """Remove the init segments of renditions of which nothing is right: they may be what is wrong.

    Chunks that are made again write them; beside one that differs none could be published.
    """
    for rendition in plan.renditions:
        if all((rendition.name, chunk) in places for chunk in range(rendition.timeline.chunk_count)):
            store.delete(rendition.init_name)


def _by_headers(plan: Plan, rendition: Rung | AudioTrack, encode: Encode, store: FolderStore) -> Broken:
    """What can be seen without a decoder."""
    found = _by_record(rendition, encode, store)
    try:
        for chunk, reason in broken_chunks(plan, rendition, store).items():
            found.setdefault((rendition.name, chunk), reason)
    except DamagedInit as error:
        # Whichever chunk is made again writes it.
        store.delete(rendition.init_name)
        found.setdefault((rendition.name, 0), str(error))
    return found


def _by_record(rendition: Rung | AudioTrack, encode: Encode, store: FolderStore) -> Broken:
    """Chunks of which a segment has not the size and checksum that were recorded when it was made."""
    found: Broken = {}
    rows = Chunk.objects.filter(rendition__encode=encode, rendition__name=rendition.name).order_by("index")
    for index, sizes, crcs in rows.values_list("index", "segment_sizes", "segment_crcs").iterator():
        recorded = zip_longest(unpack_sizes(sizes), unpack_sizes(crcs))
        for number, (size, crc) in zip(rendition.timeline.chunk_segments(index), recorded, strict=True):
            name = rendition.segment_name(number)
            there = store.size_bytes(name)
            reason = None
            if there != size:
                reason = f"has {there or 0} bytes of {size}"
            elif crc is not None and crc32(store.read(name)) != crc:
                reason = "is not as it was made"
            if reason:
                found.setdefault((rendition.name, index), f"{rendition.name}: segment {number} {reason}.")
    return found


def _by_decoding(
    plan: Plan,
    rendition: Rung | AudioTrack,
    chunks: range,
    store: FolderStore,
    report: Report,
    *,
    clean_source: bool,
) -> Broken:
    """What the decoder cannot make pictures or sound of, in one run."""
    with workshop.interruptions(), workshop.slots().background(report.cancel):
        found = undecodable_chunks(
            plan,
            rendition,
            store,
            chunks,
            tools=workshop.tools(),
            scratch=workshop.scratch(),
            clean_source=clean_source,
            cancel=report.cancel,
        )
    return {(rendition.name, chunk): reason for chunk, reason in found.items()}

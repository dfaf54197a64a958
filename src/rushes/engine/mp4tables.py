"""The packets of a plain MP4 or MOV file from the tables in its moov box, without reading the file.

Boxes and tables are those of ISO/IEC 14496-12 (section 8) and of QuickTime. The result is what ffmpeg's demuxer makes
of them, edit lists included; whatever it treats in a way of its own, or mends, is declined (NoTables) and read by
ffprobe instead. The file is hostile: no count is believed before its bytes are there.
"""

from __future__ import annotations

import re
import struct
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, chain, islice, pairwise, repeat
from operator import add
from pathlib import Path

from rushes.engine.cmaf import Box, MalformedBoxes
from rushes.engine.mp4boxes import NoTables, children, one, read_moov, read_number, read_words
from rushes.engine.mp4edits import Edit, Samples, Unclear, edited
from rushes.engine.source import AudioStream, Stream, VideoStream

_MOST_PACKETS = 8_000_000  # in a file: 12 h of 60 fps and two sound tracks are 6.7 million
_MOST_BYTES_A_SAMPLE = 0x3FFF_FFFF  # ffmpeg gives up beyond
_MOST_TICKS = 1 << 28  # in a stts or ctts entry; ffmpeg takes more for damage

# ffmpeg cuts the packets of these anew, by their content (AVSTREAM_PARSE_FULL in its demuxer).
_CUT_ANEW = frozenset({
    *("mp1", "mp2", "mp3", "ac3", "eac3"),
    *("mpeg1video", "mpeg2video", "vc1", "vp8", "vp9", "dvvideo"),
})  # fmt: skip
_PCM_BITS = re.compile(r"pcm_[suf](8|16|24|32|64)(?:le|be)?$")
_PCM_PACKET = 1024  # samples: QuickTime's tables count every sample of PCM, ffmpeg hands out so many at once


@dataclass(frozen=True, kw_only=True)
class _Chunks:
    """Runs of samples that lie side by side in the file: `runs` are (chunks, samples in each)."""

    offsets: array[int]
    runs: tuple[tuple[int, int], ...]

    def counts(self) -> Iterator[int]:
        return chain.from_iterable(repeat(samples, chunks) for chunks, samples in self.runs)


def read_tables(path: Path, streams: Iterable[Stream], track_ids: Mapping[int, int]) -> dict[int, Samples]:
    """The samples of every video and audio stream that has some, by stream index.

    `track_ids` are the tracks' numbers in the file by stream index. Raises NoTables, and OSError.
    """
    try:
        with path.open("rb") as file:
            file_bytes = file.seek(0, 2)
            moov = read_moov(file, file_bytes)
        return _read_tracks(moov, file_bytes, streams, track_ids)
    except (MalformedBoxes, Unclear, struct.error, OverflowError) as error:  # the last: a time beyond 64 bits
        raise NoTables(str(error)) from error


def _read_tracks(
    moov: bytes, file_bytes: int, streams: Iterable[Stream], track_ids: Mapping[int, int]
) -> dict[int, Samples]:
    root = Box(b"moov", 0, len(moov))
    if children(moov, root, b"mvex") or children(moov, root, b"cmov"):
        raise NoTables("the file is fragmented, or its tables are compressed")
    mvhd = one(moov, root, b"mvhd")
    movie_timescale = read_number(moov, mvhd, ">I", 20 if moov[mvhd.start] else 12)
    tracks: dict[int, Box] = {}
    for trak in children(moov, root, b"trak"):
        tkhd = one(moov, trak, b"tkhd")
        number = read_number(moov, tkhd, ">I", 20 if moov[tkhd.start] else 12)
        stts = one(moov, one(moov, trak, b"mdia", b"minf", b"stbl"), b"stts")
        # After a track without samples ffmpeg leaves edit lists alone.
        if number in tracks or not read_number(moov, stts, ">I", 4):
            raise NoTables("two tracks have the same number, or one has no samples")
        tracks[number] = trak
    found: dict[int, Samples] = {}
    for stream in streams:
        if isinstance(stream, VideoStream | AudioStream):
            if track_ids.get(stream.index) not in tracks:
                raise NoTables(f"stream {stream.index} is no track")
            trak = tracks.pop(track_ids[stream.index])
            found[stream.index] = _read_track(moov, trak, file_bytes, stream, movie_timescale)
            if sum(map(len, found.values())) > _MOST_PACKETS:
                raise NoTables("there are too many packets")
    return found


def _read_track(
    moov: bytes, trak: Box, file_bytes: int, stream: VideoStream | AudioStream, movie_timescale: int
) -> Samples:
    mdia, stbl = one(moov, trak, b"mdia"), one(moov, trak, b"mdia", b"minf", b"stbl")
    mdhd, stsd = one(moov, mdia, b"mdhd"), one(moov, stbl, b"stsd")
    timescale = read_number(moov, mdhd, ">I", 20 if moov[mdhd.start] else 12)
    if not timescale or stream.time_base != Fraction(1, timescale) or stream.codec in _CUT_ANEW:
        raise NoTables(f"stream {stream.index} has times or packets of its own")
    if read_number(moov, stsd, ">I", 4) != 1 or moov[stsd.start + 12 : stsd.start + 16] in (b"encv", b"enca"):
        raise NoTables("a track is encrypted, or has several descriptions of its samples")
    groups = [moov[box.start + 4 : box.start + 8] for box in children(moov, stbl, b"sbgp")]
    if len(children(moov, trak, b"tref")) > 1 or children(moov, stbl, b"stps") or b"rap " in groups:
        raise NoTables("a track has odd references or key samples")
    durations = _durations(moov, stbl)
    by_sample = isinstance(stream, AudioStream) and len(durations) == 1 and durations[0][1] == 1
    samples = (_pcm if by_sample else _compressed)(moov, stbl, stream, durations)
    if max(map(add, samples.position, samples.size_bytes)) > file_bytes or min(samples.position) < 0:
        raise NoTables("the file was cut off")
    edit = _edit(moov, trak, movie_timescale, timescale)
    return samples if edit is None else edited(samples, edit, stream, timescale)


def _compressed(
    moov: bytes, stbl: Box, stream: VideoStream | AudioStream, durations: list[tuple[int, int]]
) -> Samples:
    """A packet for every sample."""
    sizes = _sizes(moov, stbl)
    total = len(sizes)
    if sum(count for count, _ in durations) != total or not all(delta for _, delta in durations[:-1]):
        raise NoTables("the tables' counts of samples differ")
    if not durations[-1][1] and durations[-1][0] > 1:
        raise NoTables("samples have no duration")
    offsets, shift = _composition(moov, stbl, total)
    steps = chain.from_iterable(repeat(delta, count) for count, delta in durations)
    dts = array("q", islice(accumulate(steps, initial=-shift), total))
    pts = dts if offsets is None else array("q", map(add, dts, offsets))
    position, first = array("q"), 0
    chunks = _chunks(moov, stbl, total)
    for offset, count in zip(chunks.offsets, chunks.counts(), strict=True):
        position.extend(accumulate(sizes[first : first + count - 1], initial=offset))
        first += count
    return Samples(
        pts=pts,
        dts=dts,
        size_bytes=sizes,
        position=position,
        is_key=_key_samples(moov, stbl, total, isinstance(stream, AudioStream)),
        is_hidden=bytearray(total),
        reordered=offsets is not None,
        shift=shift,
    )


def _pcm(
    moov: bytes, stbl: Box, stream: VideoStream | AudioStream, durations: list[tuple[int, int]]
) -> Samples:
    """Packets of 1024 samples, and what is left of each chunk."""
    bits = _PCM_BITS.match(stream.codec)
    if bits is None or not isinstance(stream, AudioStream) or children(moov, stbl, b"ctts"):
        raise NoTables(f"{stream.codec} has a table that counts bytes")
    bytes_a_sample = int(bits[1]) // 8 * stream.channels
    stsz = one(moov, stbl, b"stsz")
    total = read_number(moov, stsz, ">I", 8)
    if not read_number(moov, stsz, ">I", 4) or durations[0][0] != total:
        raise NoTables("the tables' counts of samples differ")
    chunks = _chunks(moov, stbl, total)
    if total // _PCM_PACKET + len(chunks.offsets) > _MOST_PACKETS:
        raise NoTables("there are too many samples")
    dts, sizes, position, time = array("q"), array("i"), array("q"), 0
    for offset, count in zip(chunks.offsets, chunks.counts(), strict=True):
        for done in range(0, count, _PCM_PACKET):
            dts.append(time + done)
            sizes.append(min(_PCM_PACKET, count - done) * bytes_a_sample)
            position.append(offset + done * bytes_a_sample)
        time += count
    return Samples(
        pts=dts,
        dts=dts,
        size_bytes=sizes,
        position=position,
        is_key=bytearray(b"\1" * len(dts)),
        is_hidden=bytearray(len(dts)),
    )


def _durations(moov: bytes, stbl: Box) -> list[tuple[int, int]]:
    """stts: (samples, ticks each)."""
    stts = one(moov, stbl, b"stts")
    words = read_words(moov, stts, 8, 2 * read_number(moov, stts, ">I", 4))
    rows = list(zip(words[::2], words[1::2], strict=True))
    if not rows or max(words[1::2]) >= _MOST_TICKS or not all(words[::2]):
        raise NoTables("there are no durations, or odd ones")
    return rows


def _composition(moov: bytes, stbl: Box, total: int) -> tuple[Iterator[int] | None, int]:
    """ctts: from dts to pts, a number for each sample, and by how much ffmpeg moves all dts so that none is later."""
    found = children(moov, stbl, b"ctts")
    if not found:
        return None, 0
    ctts = one(moov, stbl, b"ctts")
    entries = read_number(moov, ctts, ">I", 4)
    words = read_words(moov, ctts, 8, 2 * entries)
    counts, ticks = words[::2], array("i", words[1::2].tobytes())
    if sum(counts) != total or not all(counts) or max(max(ticks), -min(ticks)) >= _MOST_TICKS:
        raise NoTables("the table of composition times is odd")
    # The last two entries have no say there: encoders have been seen to end with garbage.
    shift = max(0, -min(ticks[:-2], default=0))
    return chain.from_iterable(
        repeat(shift + tick, count) for tick, count in zip(ticks, counts, strict=True)
    ), shift


def _sizes(moov: bytes, stbl: Box) -> array[int]:
    """stsz or stz2: bytes of every sample."""
    compact = children(moov, stbl, b"stz2")
    box = one(moov, stbl, b"stz2" if compact else b"stsz")
    constant, total = read_number(moov, box, ">I", 4), read_number(moov, box, ">I", 8)
    if not 0 < total <= _MOST_PACKETS:
        raise NoTables("there are no samples, or too many")
    if compact and constant == 8:
        if total > box.end - box.start - 12:
            raise NoTables("a stz2 box ends too soon")
        sizes = array("i", list(moov[box.start + 12 : box.start + 12 + total]))
    elif compact:
        raise NoTables("a stz2 box has samples of 4 or 16 bits")
    elif constant:
        if constant > _MOST_BYTES_A_SAMPLE:
            raise NoTables("samples are too large")
        sizes = array("i", [constant]) * total
    else:
        sizes = array("i", read_words(moov, box, 12, total).tobytes())
    if min(sizes) <= 0 or max(sizes) > _MOST_BYTES_A_SAMPLE:
        raise NoTables("a sample is empty or too large")
    return sizes


def _chunks(moov: bytes, stbl: Box, total: int) -> _Chunks:
    """stsc and stco or co64: where samples lie."""
    wide = children(moov, stbl, b"co64")
    box = one(moov, stbl, b"co64" if wide else b"stco")
    number = read_number(moov, box, ">I", 4)
    words = read_words(moov, box, 8, 2 * number if wide else number)
    offsets = (
        array("Q", (high << 32 | low for high, low in zip(words[::2], words[1::2], strict=True)))
        if wide
        else words
    )
    if wide and number and max(offsets) >= 1 << 62:
        raise NoTables("a chunk lies beyond any file")
    stsc = one(moov, stbl, b"stsc")
    rows = read_words(moov, stsc, 8, 3 * read_number(moov, stsc, ">I", 4))
    firsts = [*rows[::3], number + 1]
    spans = [after - before for before, after in pairwise(firsts)]
    runs = tuple(zip(spans, rows[1::3], strict=True))
    if (
        firsts[0] != 1
        or min(spans, default=0) < 1
        or min(rows[1::3], default=0) < 1
        or set(rows[2::3]) != {1}
    ):
        raise NoTables("the table of chunks is odd")
    if sum(chunks * samples for chunks, samples in runs) != total:
        raise NoTables("the chunks hold more or fewer samples than there are")
    return _Chunks(offsets=offsets, runs=runs)


def _key_samples(moov: bytes, stbl: Box, total: int, sound: bool) -> bytearray:
    """stss: a 1 for each sample from which decoding can begin; without the table every sample is one."""
    if not children(moov, stbl, b"stss"):
        return bytearray(b"\1" * total)
    stss = one(moov, stbl, b"stss")
    numbers = read_words(moov, stss, 8, read_number(moov, stss, ">I", 4))
    if sound or not numbers or numbers[0] < 1 or numbers[-1] > total:
        raise NoTables("the table of key samples is odd")
    if any(after <= before for before, after in pairwise(numbers)):
        raise NoTables("the table of key samples is in disorder")
    is_key = bytearray(total)
    for sample in numbers:
        is_key[sample - 1] = 1
    return is_key


def _edit(moov: bytes, trak: Box, movie_timescale: int, timescale: int) -> Edit | None:
    """The edit list: nothing, or one entry, or one after an empty one; its times in ticks of the track."""
    if not children(moov, trak, b"edts"):
        return None
    elst = one(moov, trak, b"edts", b"elst")
    form = ">qqI" if moov[elst.start] else ">iiI"
    entries = read_number(moov, elst, ">I", 4)
    if (
        not 1 <= entries <= 2
        or elst.end - elst.start < 8 + entries * struct.calcsize(form)
        or not movie_timescale
    ):
        raise NoTables("the edit list is long")
    rows = [
        struct.unpack_from(form, moov, elst.start + 8 + number * struct.calcsize(form))
        for number in range(entries)
    ]
    empty = 0
    if rows[0][1] == -1 and len(rows) == 2:
        empty = rows.pop(0)[0]
    if len(rows) != 1 or rows[0][0] <= 0 or rows[0][1] < 0 or rows[0][2] != 0x1_0000 or empty < 0:
        raise NoTables("the edit list is odd")
    duration, media_time, _ = rows[0]

    def ticks(movie_ticks: int) -> int:  # av_rescale: halves go up
        return (2 * movie_ticks * timescale + movie_timescale) // (2 * movie_timescale)

    return Edit(delay=ticks(empty), media_time=media_time, duration=ticks(duration))

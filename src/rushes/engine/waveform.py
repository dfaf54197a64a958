"""The poster of sound alone: its waveform."""

from __future__ import annotations

from pathlib import Path

from .derived import Desk, Reel, run_over
from .limits import INPUT_GUARDS
from .plan import AudioTrack, Plan
from .process import scratch_folder
from .stills import PICTURE_LIMITS, NoPicture, check_jpegs, jpeg_output, sampled_segments, thumbnail_size
from .store import FolderStore

WIDTH, HEIGHT = 1280, 720

#: Segments that are looked at: half an hour of them. The filter keeps all samples, and more is not seen either.
_MOST_SEGMENTS = 450
_RATE_HZ = 8_000  # 16 bits of each: 29 MB at most
_GROUND, _WAVE = "0x1c1815", "0xe8a33d"  # as the pages have it


def waveform_track(plan: Plan) -> AudioTrack | None:
    """The track that is drawn; None where there is no sound."""
    return next((track for track in plan.audio if track.default), None)


def write_waveform(track: AudioTrack, large: Path, thumb: Path, desk: Desk) -> None:
    """Draw a complete track as JPEG, large and 320 wide. Raises NoPicture, and as `run_over`."""
    segments = sampled_segments(track.timeline.segment_count, _MOST_SEGMENTS)
    files = "large.jpg", "thumb.jpg"
    with scratch_folder(desk.scratch) as folder:
        reel = Reel(pipe="in.mp4", rendition=track, segments=segments)
        run_over([reel], waveform_command(reel.pipe, files), folder, desk, PICTURE_LIMITS)
        sizes = (WIDTH, HEIGHT), thumbnail_size(WIDTH, HEIGHT)
        for file, size, target in zip(files, sizes, (large, thumb), strict=True):
            if not (folder / file).exists():
                raise NoPicture("no waveform could be drawn")
            check_jpegs([(file, (folder / file).read_bytes())], size)
            FolderStore(target.parent).put(target.name, folder / file)


def waveform_command(source: str, outputs: tuple[str, str]) -> list[str]:
    """Decode, and draw on a ground of one colour with a line where there is silence."""
    width, height = thumbnail_size(WIDTH, HEIGHT)
    graph = ";".join(
        (
            f"[0:0]aformat=sample_fmts=s16:sample_rates={_RATE_HZ}:channel_layouts=mono,"
            # sqrt: speech, which is mostly quiet, is seen beside the loudest moment
            f"showwavespic=s={WIDTH}x{HEIGHT * 2 // 3}:colors={_WAVE}:scale=sqrt[wave]",
            f"color=c={_GROUND}:s={WIDTH}x{HEIGHT}:r=1:d=1,"
            f"drawbox=x=0:y={HEIGHT // 2 - 1}:w=iw:h=2:c={_WAVE}:t=fill[ground]",
            f"[ground][wave]overlay=y={HEIGHT // 6}:format=yuv444,"
            "scale=out_color_matrix=bt601:out_range=full,format=yuvj420p,split[large][copy]",
            f"[copy]scale={width}:{height}:flags=area[thumb]",
        )
    )
    return [
        *INPUT_GUARDS,
        *("-i", source),
        *("-filter_complex_threads", "1"),
        *("-filter_complex", graph),
        *jpeg_output("[large]", outputs[0], 4),
        *jpeg_output("[thumb]", outputs[1], 4),
    ]

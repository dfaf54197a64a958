"""From a file to the decoded sound of its tracks, chunk by chunk in shuffled order, as players put it together."""

import random
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rushes.engine.binaries import toolchain
from rushes.engine.chunk import Bench, Watch, make_audio_chunk
from rushes.engine.plan import AudioTrack, Plan
from rushes.engine.prepare import prepared
from rushes.engine.settings import Settings
from rushes.engine.store import FolderStore
from tests.proof.onsets import Samples, decode


@dataclass(frozen=True)
class Heard:
    """One track of the plan, as decoded from its init segment and all its segments."""

    plan: Plan
    track: AudioTrack
    samples: Samples  # (samples, channels)
    file: Path
    warnings: tuple[str, ...]

    @property
    def joints(self) -> list[int]:
        """First samples of all segments but the first."""
        return list(self.track.timeline.bounds[1:-1])

    @property
    def chunk_joints(self) -> list[int]:
        """First samples of all chunks but the first."""
        timeline = self.track.timeline
        return [timeline.bounds[segment] for segment in timeline.chunks[1:-1]]


def make_source(
    path: Path, inputs: Sequence[str | Path], options: Sequence[str], *, picture_s: float | None = None
) -> Path:
    """Encode `inputs` (ffmpeg's input options) by `options`; with `picture_s` a small picture is the last input."""
    argv = [str(toolchain().ffmpeg.path), "-v", "error", "-y", *map(str, inputs)]
    if picture_s is not None:
        argv += ["-f", "lavfi", "-i", f"testsrc2=size=64x36:rate=25:duration={picture_s}"]
    subprocess.run([*argv, "-fflags", "+bitexact", *options, str(path)], check=True)
    return path


def hear(source: Path, folder: Path, *, copy: bool = False, seed: int = 1) -> list[Heard]:
    """Plan `source`, make every chunk of its sound in an order drawn from `seed`, and decode each track."""
    tools, scratch = toolchain(), folder / "scratch"
    store = FolderStore(folder / "streams")
    heard = []
    with prepared(source, Settings(rungs=(144,), copy=copy), tools, scratch) as ready:
        bench = Bench(ffmpeg=tools.ffmpeg.path, source=ready.path, store=store, scratch=scratch)
        for track in ready.plan.audio:
            order = list(range(track.timeline.chunk_count))
            random.Random(seed).shuffle(order)
            warnings: list[str] = []
            for chunk in order:
                warnings += make_audio_chunk(ready.plan, track, chunk, bench, Watch()).warnings
            file = folder / f"{track.name}.mp4"
            names = [track.segment_name(number) for number in range(track.timeline.segment_count)]
            file.write_bytes(b"".join(store.read(name) for name in (track.init_name, *names)))
            heard.append(Heard(ready.plan, track, decode(file, track.channels), file, tuple(warnings)))
    return heard

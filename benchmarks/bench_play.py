"""`rushes play`: from the request of the first segment to its delivery, and at a seek to 80 %.

Sources of 10, 60 and 600 s, copied and encoded. Bounds: at most 2.5 s; 600 s at most 0.5 s more than 10 s.
The clock starts with the command: reading the file and planning are part of what a viewer waits for.
"""

from __future__ import annotations

import statistics
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from measuring import ROUNDS, machine, playing, report, source, workshop

DURATIONS_S = (10, 60, 600)


def get(url: str) -> str:
    """The answer's text; 503 while the file is read is asked again."""
    while True:
        with suppress(urllib.error.HTTPError), urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read().decode("utf-8", "replace"))
        time.sleep(0.01)


def segments(playlist: str) -> list[str]:
    """URIs of a media playlist."""
    return [line for line in playlist.splitlines() if line.endswith(".m4s")]


def one_run(clip: Path, *, copied: bool, seek: bool) -> tuple[float, float]:
    """Seconds from the command to the first segment (picture and sound), and from a seek to 80 % to its segment."""
    started_s = time.monotonic()
    with playing(clip, copied=copied) as url:
        master = get(f"{url}master.m3u8").splitlines()
        rungs = [line for line in master if line.endswith("/video.m3u8")]
        # The copied rung is the largest; encoded, the first one listed is what players start with.
        chosen = max(rungs, key=lambda name: int(name.partition("p/")[0])) if copied else rungs[0]
        video = get(url + chosen)
        audio = get(f"{url}audio-1-und/audio.m3u8")
        folder = chosen.rpartition("/")[0]
        key = segments(video)[0].partition("/")[0]
        get(f"{url}{folder}/{key}/init.mp4")
        get(f"{url}{folder}/{segments(video)[0]}")
        get(f"{url}audio-1-und/{segments(audio)[0]}")
        first_s = time.monotonic() - started_s
        seek_s = 0.0
        if seek:
            at = len(segments(video)) * 8 // 10
            started_s = time.monotonic()
            get(f"{url}{folder}/{segments(video)[at]}")
            seek_s = time.monotonic() - started_s
        return first_s, seek_s


def main() -> None:
    """Measure and print."""
    print(f"# bench_play on {machine()}")
    with workshop() as folder:
        clips = {duration_s: source(folder, duration_s) for duration_s in DURATIONS_S}
        for copied in (True, False):
            what = "copied" if copied else "encoded"
            firsts: dict[int, float] = {}
            for duration_s, clip in clips.items():
                runs = [one_run(clip, copied=copied, seek=duration_s > 10) for _ in range(ROUNDS)]
                firsts[duration_s] = statistics.median(first for first, _ in runs)
                report(f"{what}, {duration_s} s: command to first segment", firsts[duration_s], 2.5, " s")
                if duration_s > 10:
                    seek_s = statistics.median(seek for _, seek in runs)
                    report(f"{what}, {duration_s} s: seek to 80 %", seek_s, 2.5, " s")
            report(f"{what}: 600 s more than 10 s", firsts[600] - firsts[10], 0.5, " s")


if __name__ == "__main__":
    main()

"""1,000 requests that wait for segments: threads and memory of the web process, which must need neither for them.

Bounds: not one thread a request; RSS at most 50 MB more.
"""

from __future__ import annotations

import asyncio
import os

import httpx
import psutil
from measuring import machine, report, source, workshop
from product import running, send

WAITING = int(os.environ.get("BENCH_WAITING", "1000"))
SETTLE_S = 5.0


async def hold(url: str, names: list[str], web: psutil.Process) -> tuple[int, int, int]:
    """Ask for all names at once; the web process's RSS and threads while they wait, and how many still do."""
    limits = httpx.Limits(max_connections=len(names) + 10)
    async with httpx.AsyncClient(base_url=url, timeout=120, limits=limits) as client:
        requests = [asyncio.ensure_future(client.get(name)) for name in names]
        await asyncio.sleep(SETTLE_S)
        seen = web.memory_info().rss, web.num_threads(), sum(not request.done() for request in requests)
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
    return seen


def main() -> None:
    """Measure and print."""
    print(f"# bench_holds on {machine()}")
    with workshop() as folder, running(folder / "instance") as instance:
        api = instance.client()
        sent = send(api, source(folder, 600, bitrate="18M"), "long")
        sent.until_playable(api)
        video = api.video(sent.public_id)
        (web,) = instance.processes("web")
        base, _, token = video["url_hls"].partition("master.m3u8")
        top = video["renditions"][0]["name"]
        playlist = api.http.get(f"{base}{top}/video.m3u8{token}").text
        # The later half of the largest rung: nothing of it is there yet.
        segments = [line for line in playlist.splitlines() if line and not line.startswith("#")][75:]
        names = [f"{base}{top}/{segments[n % len(segments)]}" for n in range(WAITING)]
        rss_bytes, threads = web.memory_info().rss, web.num_threads()
        held_bytes, held_threads, waiting = asyncio.run(hold(instance.url, names, web))
        report("requests that waited", waiting)
        report("threads more than before", held_threads - threads)
        report("RSS more than before", (held_bytes - rss_bytes) / 1e6, 50, " MB")


if __name__ == "__main__":
    main()

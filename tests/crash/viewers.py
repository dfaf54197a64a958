"""Viewers that remember what they were served, byte for byte, however often the server dies meanwhile."""

from __future__ import annotations

import hashlib
import random
import threading
from dataclasses import dataclass, field
from urllib.parse import urljoin, urlsplit

import httpx

from tests.crash.instance import Api

_PAUSE_S = 0.1
_RUN = 3  # segments that one viewer plays from where it has sought to


@dataclass
class Served:
    """What all viewers got: digests by path, and answers that must not come."""

    digests: dict[str, set[str]] = field(default_factory=dict)
    refusals: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self, path: str, body: bytes) -> None:
        with self.lock:
            self.digests.setdefault(path, set()).add(hashlib.sha256(body).hexdigest())

    def refuse(self, path: str, status: int, body: str) -> None:
        with self.lock:
            self.refusals.append(f"{status} for {path}: {body[:200]}")


class Viewer(threading.Thread):
    """Seeks about in one video until it is told to stop. `stop` is looked at between requests."""

    def __init__(self, api: Api, public_id: str, served: Served, stop: threading.Event, seed: int) -> None:
        super().__init__(name=f"viewer {seed}", daemon=True)
        self._api, self._id, self._served, self._stopped = api, public_id, served, stop
        self._rng = random.Random(seed)

    def run(self) -> None:
        while not self._stopped.wait(_PAUSE_S):
            try:
                self._watch()
            except httpx.TransportError:
                continue  # the web process was killed; a player tries again

    def _watch(self) -> None:
        video = self._api.video(self._id)
        if not video["playable"] or not video["url_hls"]:
            return
        master_url = urljoin(self._api.url, video["url_hls"])
        master = self._get(master_url)
        if master is None:
            return
        playlists = [urljoin(master_url, uri) for uri in uris(master.decode())]
        chosen = [self._rng.choice(playlists), *(url for url in playlists if "/audio-" in url)]
        at = self._rng.random()
        for playlist_url in chosen:
            text = self._get(playlist_url)
            if text is None:
                return
            names = [urljoin(playlist_url, uri) for uri in uris(text.decode())]
            init, segments = names[:1], names[1:]
            first = int(at * len(segments))
            for url in (*init, *segments[first : first + _RUN]):
                if self._stopped.is_set():
                    return
                body = self._get(url)
                if body is not None:
                    self._served.take(urlsplit(url).path, body)

    def _get(self, url: str) -> bytes | None:
        answer = self._api.http.get(url)
        if answer.status_code == 200:
            return answer.content
        if answer.status_code != 503:  # held for as long as is promised
            self._served.refuse(urlsplit(url).path, answer.status_code, answer.text)
        return None


def uris(playlist: str) -> list[str]:
    """Every URI of a playlist in order: of lines, and of attributes (EXT-X-MEDIA, EXT-X-MAP)."""
    found = []
    for line in playlist.splitlines():
        if line.startswith("#"):
            _, there, rest = line.partition('URI="')
            if there:
                found.append(rest.partition('"')[0])
        elif line.strip():
            found.append(line.strip())
    return found

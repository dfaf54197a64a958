"""Where a video's streams, pictures and API are, as pages and the API name them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlencode

from . import access
from .models import Video, Visibility


@dataclass(frozen=True)
class Addresses:
    """The addresses of one video; those of a private one carry a token, so that players need no header."""

    video: Video

    def of(self, name: str) -> str:
        """The address of a file of this video, such as `master.m3u8`."""
        return f"{self.api}{name}{self._query}"

    @property
    def api(self) -> str:
        """Where the API has it."""
        return f"/api/video/{self.video.public_id}/"

    @property
    def page(self) -> str:
        """The page that shows it."""
        return f"/v/{self.video.public_id}/"

    @property
    def mp4(self) -> str | None:
        """The download; None where there is none yet."""
        encode = self.video.active_encode
        return self.of("video.mp4") if encode and encode.mp4 else None

    @property
    def poster(self) -> str | None:
        """The large still; None where there is none yet."""
        encode = self.video.active_encode
        return self.of("poster.jpg") if encode and encode.poster else None

    @property
    def thumbnail(self) -> str | None:
        """The small still; None where there is none yet."""
        encode = self.video.active_encode
        return self.of("thumbnail.jpg") if encode and encode.thumbnail else None

    @property
    def storyboard(self) -> str | None:
        """The WebVTT file of pictures along the time line; None where there is none yet."""
        encode = self.video.active_encode
        return self.of("storyboard.vtt") if encode and encode.storyboard else None

    @property
    def preview(self) -> str | None:
        """A few seconds that move, without sound; None where there are none yet."""
        encode = self.video.active_encode
        return self.of("preview.mp4") if encode and encode.preview else None

    @cached_property
    def _query(self) -> str:
        if self.video.visibility != Visibility.PRIVATE:
            return ""
        lives_s = access.playback_life_s(self.video.duration_s)
        return "?" + urlencode({"token": access.sign_playback(self.video.public_id, lives_s)})

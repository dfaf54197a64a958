"""Where a photo's pictures, page and API are, as pages and the API name them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlencode

from rushes.videos import access
from rushes.videos.models import Visibility

from .models import Photo


@dataclass(frozen=True)
class PhotoAddresses:
    """The addresses of one photo; those of pictures of a private one carry a token, so that `<img>` can show them."""

    photo: Photo

    @property
    def api(self) -> str:
        """Where the API has it."""
        return f"/api/photo/{self.photo.public_id}/"

    @property
    def page(self) -> str:
        """The page that shows it."""
        return f"/p/{self.photo.public_id}/"

    @property
    def pictures(self) -> list[dict[str, Any]]:
        """Each size, the largest first: `width`, `height`, `webp`, `jpeg`."""
        return [
            {
                "width": picture["width"],
                "height": picture["height"],
                "webp": self._of(f"{picture['long_px']}.webp"),
                "jpeg": self._of(f"{picture['long_px']}.jpg"),
            }
            for picture in self.photo.pictures
        ]

    @property
    def thumbnail(self) -> str | None:
        """The smallest, as JPEG, which everything shows; None where there is none yet."""
        pictures = self.pictures
        return pictures[-1]["jpeg"] if pictures else None

    def _of(self, file: str) -> str:
        return f"{self.api}{self.photo.key}/{file}{self._query}"

    @cached_property
    def _query(self) -> str:
        if self.photo.visibility != Visibility.PRIVATE:
            return ""
        lives_s = access.playback_life_s(None)
        return "?" + urlencode({"token": access.sign_playback(self.photo.public_id, lives_s)})

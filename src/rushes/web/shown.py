"""Videos with all that a page says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.http import Http404, HttpRequest

from rushes.pipeline import progress
from rushes.videos import access
from rushes.videos.addresses import Addresses
from rushes.videos.models import Video
from rushes.web.words import WHO_MAY_WATCH, State, clock_duration, title_of


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A video on a page."""

    video: Video
    title: str
    clock: str
    state: State
    addresses: Addresses
    who_may_watch: str
    own: bool  # whoever looks at it may change it


def show(videos: Sequence[Video], user: Any) -> list[Shown]:
    """What a page says of these videos to this user."""
    return [
        Shown(
            video=video,
            title=title_of(video),
            clock=clock_duration(video.duration_s),
            state=_state(video),
            addresses=Addresses(video),
            who_may_watch=WHO_MAY_WATCH[video.visibility],
            own=access.may_edit(video, user),
        )
        for video in videos
    ]


def find_watchable(request: HttpRequest, public_id: str) -> Video:
    """The video, where this request may watch it. Raises Http404: who may not is not told that it exists."""
    video = Video.objects.select_related("active_encode").filter(public_id=public_id).first()
    if video is None or not access.may_watch(video, request.user, request.GET.get("token")):
        raise Http404
    return video


def find_editable(request: HttpRequest, public_id: str) -> Video:
    """The video, where this request may change it. Raises Http404."""
    video = Video.objects.select_related("active_encode").filter(public_id=public_id).first()
    if video is None or not access.may_edit(video, request.user):
        raise Http404
    return video


def _state(video: Video) -> State:
    state = State(
        status=video.status,
        playable=progress.is_playable(video),
        progress_percentage=video.progress_percentage,
        error=progress.error_of(video),
    )
    if not state.in_work:
        return state  # most of a library: nothing more needs to be asked
    told = progress.describe(video)
    return replace(state, eta_s=told["eta_seconds"], queue_position=told["queue_position"])

"""A video's page: player, state, and for its owner what can be changed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from rushes.web.forms import VideoForm
from rushes.web.shown import Shown, find_editable, find_watchable, show
from rushes.web.subtitles import SubtitleForm, listed


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def watch(request: HttpRequest, public_id: str) -> HttpResponse:
    """The page; POST changes title, description and visibility."""
    if request.method == "POST":
        video = find_editable(request, public_id)
        [shown] = show([video], request.user)
        form = VideoForm(request.POST, instance=video)
        if not form.is_valid():
            # The page's other parts show the video as it is, not as it was refused.
            video.refresh_from_db(fields=["title", "description", "visibility"])
            return _page(request, shown, form, status=422)
        form.save_fields()
        messages.success(request, "Saved.")
        return redirect("web:watch", public_id)
    video = find_watchable(request, public_id)
    [shown] = show([video], request.user)
    return _page(request, shown, VideoForm(instance=video) if shown.own else None)


def _page(request: HttpRequest, shown: Shown, form: VideoForm | None, *, status: int = 200) -> HttpResponse:
    context = {
        "video": shown.video,
        "title": shown.title,
        "clock": shown.clock,
        "state": shown.state,
        "progress": f"{shown.state.progress_percentage / 100:.2f}",
        "addresses": shown.addresses,
        "all_rungs": shown.addresses.of("all.m3u8"),  # for our own player, which events tell what can be fed
        "events": shown.addresses.of("events"),
        "hls": shown.addresses.of("master.m3u8"),
        "dash": shown.addresses.of("manifest.mpd"),
        "form": form,
        "subtitle_form": SubtitleForm(),
        "subtitles": listed(shown.video) if form else (),
    }
    return render(request, "web/watch.html", context, status=status)

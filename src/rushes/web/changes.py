"""What owners can do with a video beside changing its fields."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from rushes.pipeline import intake
from rushes.videos.addresses import Addresses
from rushes.videos.models import VideoStatus
from rushes.web.shown import find_editable
from rushes.web.words import title_of


@never_cache
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask first; POST deletes."""
    video = find_editable(request, public_id)
    title = title_of(video)
    if request.method == "POST":
        intake.delete_video(video)
        messages.success(request, f"“{title}” is deleted.")
        return redirect("web:library")
    return render(
        request, "web/delete.html", {"page": Addresses(video).page, "title": title, "what": "video"}
    )


@login_required
@require_POST
def transcode(request: HttpRequest, public_id: str) -> HttpResponse:
    """Encode it again from its source; what failed is tried again."""
    video = find_editable(request, public_id)
    try:
        if video.status == VideoStatus.FAILED:
            intake.retry_video(video)
        else:
            intake.transcode(video, force=True)
    except intake.SourceDeleted:
        messages.error(request, "Its source is deleted: there is nothing to encode it from.")
    else:
        messages.success(request, "It is encoded again; what is there plays on meanwhile.")
    return redirect("web:watch", public_id)

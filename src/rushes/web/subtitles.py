"""Subtitles on a video's page: what there is, a form for more."""

from __future__ import annotations

from dataclasses import dataclass

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from rushes.pipeline import subtitles
from rushes.videos.models import Subtitle, SubtitleOrigin, SubtitleStatus, Video
from rushes.web.shown import find_editable

_WORDS = {SubtitleStatus.PROCESSING: "being read", SubtitleStatus.READY: "", SubtitleStatus.FAILED: ""}


class SubtitleForm(forms.Form):
    """A file, and what it is called."""

    file = forms.FileField(
        label="Subtitle file",
        help_text="SubRip (.srt), WebVTT (.vtt) or ASS (.ass).",
        allow_empty_file=True,
        widget=forms.ClearableFileInput(attrs={"accept": ".srt,.vtt,.ass,.ssa", "id": "subtitle-file"}),
    )
    language = forms.CharField(
        max_length=40,
        required=False,
        help_text="Its code: en, de, pt-BR …",
        widget=forms.TextInput(attrs={"id": "subtitle-language", "autocomplete": "off"}),
    )
    title = forms.CharField(
        label="Name in the menu",
        max_length=100,
        required=False,
        help_text="Empty: the language's own name.",
        widget=forms.TextInput(attrs={"id": "subtitle-title", "autocomplete": "off"}),
    )
    default = forms.BooleanField(label="Shown without being asked for", required=False)


@dataclass(frozen=True, kw_only=True)
class Listed:
    """A track in the list; `own` ones can be deleted."""

    row: Subtitle
    label: str
    words: str
    own: bool


def listed(video: Video) -> list[Listed]:
    """Every track of a video, also those that can't be shown, with the reason."""
    return [
        Listed(
            row=row,
            label=subtitles.label_of(row),
            words=row.reason or _WORDS.get(SubtitleStatus(row.status), ""),
            own=row.origin != SubtitleOrigin.EMBEDDED,
        )
        for row in subtitles.tracks_of(video, video.active_encode)
    ]


@login_required
@require_POST
def add(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take a file."""
    video = find_editable(request, public_id)
    form = SubtitleForm(request.POST, request.FILES)
    if not form.is_valid():
        messages.error(request, " ".join(str(error) for errors in form.errors.values() for error in errors))
        return redirect("web:watch", public_id)
    told = dict(form.cleaned_data)
    file = told.pop("file")
    try:
        if file.size > subtitles.MAX_FILE_BYTES:
            raise subtitles.NoSubtitles(
                f"A subtitle file may have at most {subtitles.MAX_FILE_BYTES // 1_000_000} MB."
            )
        row = subtitles.add_subtitles(video, file.read(), **told)
    except (subtitles.NoSubtitles, subtitles.UnknownLanguage) as error:
        messages.error(request, str(error))
    else:
        messages.success(request, f"“{subtitles.label_of(row)}” is in the player's menu.")
    return redirect("web:watch", public_id)


@login_required
@require_POST
def remove(request: HttpRequest, public_id: str, name: str) -> HttpResponse:
    """Delete an uploaded track."""
    video = find_editable(request, public_id)
    try:
        subtitles.remove_subtitles(video, name)
    except Subtitle.DoesNotExist:
        messages.error(request, "These subtitles are not there any more, or part of the video's file.")
    else:
        messages.success(request, "The subtitles are deleted.")
    return redirect("web:watch", public_id)

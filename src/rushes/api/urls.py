"""Addresses below /api/."""

from __future__ import annotations

from django.urls import path, re_path

from . import debug, photos, subtitles, views
from .docs import Docs, Schema
from .errors import not_found

urlpatterns = [
    path("video/", views.VideoList.as_view()),
    path("video/<slug:public_id>/", views.VideoDetail.as_view()),
    path("video/<slug:public_id>/transcode/", views.Transcode.as_view()),
    path("video/<slug:public_id>/health", views.Health.as_view()),
    path("photo/", photos.PhotoList.as_view()),
    path("photo/<slug:public_id>/", photos.PhotoDetail.as_view()),
    path("video/<slug:public_id>/subtitles/", subtitles.SubtitleList.as_view()),
    path("video/<slug:public_id>/subtitles/<slug:name>/", subtitles.SubtitleDetail.as_view()),
    path("video/<slug:public_id>/captions/", subtitles.Captions.as_view()),
    path("schema/", Schema.as_view(), name="schema"),
    path("docs/", Docs.as_view(), name="docs"),
    path("_debug/queue", debug.queue),
    # Not Django's page: programs read what is below /api/.
    re_path(r"", not_found),
]

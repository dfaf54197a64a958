"""The addresses of a video's subtitles and captions."""

from __future__ import annotations

from django.db import transaction
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from rushes.pipeline import subtitles
from rushes.pipeline.beside import CaptionsImpossible, begin_captions
from rushes.videos.addresses import Addresses
from rushes.videos.models import Subtitle, Video

from .errors import Refused
from .serializers import JobSerializer, SubtitleSerializer, SubtitleUploadSerializer, shown_subtitle
from .views import VideoView


class SubtitleList(VideoView):
    """The subtitles of a video."""

    parser_classes = (MultiPartParser, FormParser)

    @extend_schema(operation_id="list_subtitles", responses=SubtitleSerializer(many=True))
    def get(self, request: Request, public_id: str) -> Response:
        """All of them: those that are ready, those that are being made, and those that can't be converted."""
        video = self.video(public_id)
        rows = subtitles.tracks_of(video, video.active_encode)
        return Response([self._shown(request, video, row) for row in rows])

    @extend_schema(
        operation_id="add_subtitles",
        request={"multipart/form-data": SubtitleUploadSerializer},
        responses={201: SubtitleSerializer},
    )
    def post(self, request: Request, public_id: str) -> Response:
        """Subtitles from a file, shown at once."""
        video = self.video(public_id, change=True)
        asked = SubtitleUploadSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        told = dict(asked.validated_data)
        file = told.pop("file")
        if file.size > subtitles.MAX_FILE_BYTES:
            raise Refused(
                f"A subtitle file may have at most {subtitles.MAX_FILE_BYTES // 1_000_000} MB.",
                "too_large",
                413,
            )
        try:
            row = subtitles.add_subtitles(video, file.read(), **told)
        except subtitles.UnknownLanguage as error:
            raise ValidationError({"language": [str(error)]}) from error
        except subtitles.NoSubtitles as error:
            raise ValidationError({"file": [str(error)]}) from error
        return Response(self._shown(request, video, row), status=status.HTTP_201_CREATED)

    def _shown(self, request: Request, video: Video, row: Subtitle) -> object:
        def absolute(address: str | None) -> str | None:
            return None if address is None else request.build_absolute_uri(address)

        return shown_subtitle(row, Addresses(video), absolute)


class SubtitleDetail(VideoView):
    """One uploaded track."""

    @extend_schema(operation_id="delete_subtitles", responses={204: None})
    def delete(self, request: Request, public_id: str, name: str) -> Response:
        """Delete uploaded subtitles or captions by machine; those of the source belong to it."""
        video = self.video(public_id, change=True)
        try:
            subtitles.remove_subtitles(video, name)
        except Subtitle.DoesNotExist as error:
            if any(row.name == name for row in subtitles.tracks_of(video, video.active_encode)):
                raise Refused(
                    "These subtitles are part of the video's file and go with it.", "part_of_source", 409
                ) from error
            raise Http404 from error
        return Response(status=status.HTTP_204_NO_CONTENT)


class Captions(VideoView):
    """Captions by machine."""

    parser_classes = (JSONParser, FormParser)

    @extend_schema(operation_id="caption_video", request=None, responses={202: JobSerializer})
    def post(self, request: Request, public_id: str) -> Response:
        """The job that listens to the video; 409 with the reason where there is no speech model."""
        video = self.video(public_id, change=True)
        try:
            with transaction.atomic():
                job = begin_captions(video)
        except CaptionsImpossible as error:
            raise Refused(str(error), "no_captions", 409) from error
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)

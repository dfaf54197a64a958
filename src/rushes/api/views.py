"""The addresses of videos that are not playback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Model, QuerySet
from django.db.models.functions import Now
from django.http import Http404
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import exceptions, status
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import BaseParser, FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from rushes.photos.sniffing import is_photo
from rushes.pipeline import intake
from rushes.pipeline.choices import UnknownChoice
from rushes.pipeline.health import health_of
from rushes.uploads import Received, received
from rushes.uploads.admission import admit
from rushes.videos.access import found_by, may_edit, may_watch
from rushes.videos.models import Video, VideoStatus, Visibility

from .errors import Refused
from .permissions import MayUseApi
from .serializers import (
    HealthSerializer,
    JobSerializer,
    ReplacementSerializer,
    TranscodeSerializer,
    UploadSerializer,
    VideoFieldsSerializer,
    VideoSerializer,
)

M = TypeVar("M", bound=Model)
FILTERS = {"status": VideoStatus.values, "visibility": Visibility.values}
_PLAN = "active_encode__plan_json"  # megabytes for a long video; whoever needs the plan has it decoded


def _videos() -> QuerySet[Video]:
    """Videos with what is shown of them, in as many queries for a page of them as for one."""
    videos = Video.objects.select_related("active_encode", "owner").defer(_PLAN)
    return videos.prefetch_related("active_encode__renditions", "subtitles")


def filtered(rows: QuerySet[M], request: Request, choices: Mapping[str, Sequence[str]]) -> QuerySet[M]:
    """The rows that the query asks for, by fields with choices and by external_ref. Raises ValidationError."""
    for name, values in choices.items():
        if (wanted := request.query_params.get(name)) is not None:
            if wanted not in values:
                raise ValidationError({name: [f"One of {', '.join(values)}."]})
            rows = rows.filter(**{name: wanted})
    if (reference := request.query_params.get("external_ref")) is not None:
        if "\0" in reference:
            raise ValidationError({"external_ref": ["Null characters are not allowed."]})
        rows = rows.filter(external_ref=reference)
    return rows


class Pages(PageNumberPagination):
    """count, next, previous, results."""

    page_size = 20
    page_size_query_param = "page_size"
    max_page_size = 100


class VideoView(APIView):
    """What all addresses of videos share."""

    permission_classes = (MayUseApi,)
    parser_classes: tuple[type[BaseParser], ...] = (JSONParser, FormParser, MultiPartParser)

    def visible(self, request: Request) -> QuerySet[Video]:
        """What this request finds in lists: its own videos and public ones; staff finds all."""
        return found_by(_videos(), request.user)

    def video(self, public_id: str, *, change: bool = False) -> Video:
        """The video, where this request may see (change) it. Raises Http404: who may not is not told that it exists."""
        video = _videos().filter(public_id=public_id).first()
        if video is None or not may_watch(video, self.request.user):
            raise Http404
        if change and not may_edit(video, self.request.user):
            raise exceptions.PermissionDenied("This video is not yours.")
        return video

    def shown(self, video: Video) -> Any:
        """A video as the API shows it."""
        return VideoSerializer(video, context={"request": self.request}).data

    def fresh(self, video: Video) -> Any:
        """A video as it is now. Raises Video.DoesNotExist where it was deleted meanwhile."""
        return self.shown(_videos().get(pk=video.pk))

    def file(self, request: Request) -> Received | None:
        """The file of a form; None where it has none. Raises ValidationError for what cannot be a video."""
        file = received(request).get("file")
        if file is not None and not file.size_bytes:
            raise ValidationError({"file": ["The file is empty."]})
        if file is None and "url" in request.data:
            raise Refused(
                "This version does not fetch videos from addresses; send the file.", "url_not_supported", 400
            )
        if file is None and "file" in request.data:
            raise ValidationError({"file": ["This is text. Send a form with the video as its file."]})
        if file is not None and is_photo(file.path):
            raise Refused("This file is a photo. Send it to /api/photo/.", "is_photo", 415)
        return file


class VideoList(VideoView):
    """All videos that the request may see."""

    pagination_class = Pages

    @extend_schema(
        operation_id="list_videos",
        responses=VideoSerializer(many=True),
        parameters=[
            OpenApiParameter("status", str, enum=VideoStatus.values),
            OpenApiParameter("visibility", str, enum=Visibility.values),
            OpenApiParameter("external_ref", str),
        ],
    )
    def get(self, request: Request) -> Response:
        """The newest first, in pages."""
        videos = filtered(self.visible(request), request, FILTERS)
        pages = self.pagination_class()
        page = pages.paginate_queryset(videos, request, view=self)
        shown = VideoSerializer(page, many=True, context={"request": request})
        return pages.get_paginated_response(shown.data)

    @extend_schema(
        operation_id="create_video",
        request={"multipart/form-data": UploadSerializer},
        responses={201: VideoSerializer},
    )
    def post(self, request: Request) -> Response:
        """A new video from a file."""
        admit(request)
        fields = VideoFieldsSerializer(data=request.data)
        fields.is_valid(raise_exception=True)
        file = self.file(request)
        if file is None:
            raise ValidationError({"file": ["Send the video as the form field `file`."]})
        video = intake.create_video(
            owner=request.user,
            path=file.path,
            original_name=file.name,
            **fields.validated_data,
        )
        shown = self.fresh(video)
        where = request.build_absolute_uri(f"/api/video/{video.public_id}/")
        return Response(shown, status=status.HTTP_201_CREATED, headers={"Location": where})


class VideoDetail(VideoView):
    """One video."""

    @extend_schema(operation_id="get_video", responses=VideoSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        """Everything about it."""
        return Response(self.shown(self.video(public_id)))

    @extend_schema(
        operation_id="change_video",
        request={"application/json": VideoFieldsSerializer, "multipart/form-data": ReplacementSerializer},
        responses={200: VideoSerializer, 202: VideoSerializer},
    )
    def patch(self, request: Request, public_id: str) -> Response:
        """Other words for it; or another source (202), which takes over when it is ready."""
        video = self.video(public_id, change=True)
        fields = VideoFieldsSerializer(video, data=request.data, partial=True)
        fields.is_valid(raise_exception=True)
        file = self.file(request)
        if file is not None:
            admit(request)
        with transaction.atomic():  # both or neither
            if fields.validated_data:
                # Only these: workers write the others meanwhile.
                Video.objects.filter(pk=video.pk).update(**fields.validated_data, updated_at=Now())
            if file is not None:
                intake.replace_source(video, file.path, file.name)
        done = status.HTTP_200_OK if file is None else status.HTTP_202_ACCEPTED
        return Response(self.fresh(video), status=done)

    @extend_schema(operation_id="delete_video", responses={204: None})
    def delete(self, request: Request, public_id: str) -> Response:
        """Its rows at once, its files as soon as nobody works on them."""
        intake.delete_video(self.video(public_id, change=True))
        return Response(status=status.HTTP_204_NO_CONTENT)


class Transcode(VideoView):
    """Make renditions again."""

    parser_classes = (JSONParser, FormParser)

    @extend_schema(
        operation_id="transcode_video", request=TranscodeSerializer, responses={202: JobSerializer}
    )
    def post(self, request: Request, public_id: str) -> Response:
        """The job that does it; the same for calls within 10 s."""
        video = self.video(public_id, change=True)
        asked = TranscodeSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            job = intake.transcode(video, **asked.validated_data)
        except intake.SourceDeleted as error:
            raise Refused(str(error), "source_deleted", 409) from error
        except intake.UnknownResolution as error:
            raise ValidationError({"resolutions": [str(error)]}) from error
        except UnknownChoice as error:
            raise ValidationError({"codecs": [str(error)]}) from error
        return Response(JobSerializer(job).data, status=status.HTTP_202_ACCEPTED)


class Health(VideoView):
    """What of the streams is there."""

    @extend_schema(operation_id="video_health", responses=HealthSerializer)
    def get(self, request: Request, public_id: str) -> Response:
        """Per rendition: manifest and segments expected, on disk, in the database, missing."""
        return Response(health_of(self.video(public_id)))

"""Marks say what a look at every chunk would say."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from rushes.engine.planning import make_plan
from rushes.engine.settings import Settings
from rushes.pipeline.marks import forget, settled_of
from rushes.pipeline.plans import rendition_row, text_of
from rushes.videos.models import Chunk, Encode, Rendition, Video
from tests.engine.sources import film, sound

pytestmark = [pytest.mark.django_db, pytest.mark.databases]

Fill = Callable[..., None]
CHUNKS = 10


@pytest.fixture
def encode() -> Encode:
    plan = make_plan(film(duration_s=80, tracks=[sound()]), Settings(copy=False, rungs=(720, 360)), "b")
    made = Encode.objects.create(
        video=Video.objects.create(), plan_json=text_of(plan), plan_version=1, plan_key="k", encoder_build="b"
    )
    for position, planned in enumerate(plan.renditions):
        rendition_row(made, position, planned, 0).save()
    Rendition.objects.update(chunk_count=CHUNKS)
    return made


def settle(encode: Encode, name: str, *chunks: int, state: str = "done") -> None:
    row = encode.renditions.get(name=name)
    Chunk.objects.bulk_create(Chunk(rendition=row, index=chunk, state=state) for chunk in chunks)


def test_counts_and_marks_follow_the_chunks_in_whatever_order_they_come(encode: Encode) -> None:
    settle(encode, "720p", 0, 1, 4)
    settle(encode, "720p", 2, state="failed")
    settle(encode, "360p", 1)
    settled = settled_of(encode)
    assert settled.until == {"720p": 3, "360p": 0, "audio-1-und": 0}
    assert settled.beyond == {("720p", 4), ("360p", 1)}
    assert (settled.count(), settled.begun()) == (5, {("720p", 0)})
    assert {row.name: (row.chunks_done, row.settled_until) for row in encode.renditions.all()} == {
        "720p": (3, 3),
        "360p": (1, 0),
        "audio-1-und": (0, 0),
    }
    settle(encode, "720p", 3)
    assert settled_of(encode).until["720p"] == 5
    forget(Chunk.objects.filter(rendition__encode=encode, rendition__name="720p", index=1))
    again = settled_of(encode)
    assert again.until["720p"] == 1
    assert again.beyond >= {("720p", 2), ("720p", 3), ("720p", 4)}
    assert encode.renditions.get(name="720p").chunks_done == 3


def test_chunks_below_the_marks_are_not_read(encode: Encode) -> None:
    for name in ("720p", "360p", "audio-1-und"):
        settle(encode, name, *range(CHUNKS - 1))
    settled_of(encode)
    with CaptureQueriesContext(
        connection,
    ) as queries:
        settled = settled_of(encode)
    assert (settled.beyond, settled.count()) == (frozenset(), 3 * (CHUNKS - 1))
    assert len(queries) == 3
    assert not [query for query in queries if query["sql"].startswith("UPDATE")]

"""Who may watch, by user or by token; keys; and what the database refuses."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from django.contrib.auth.models import AnonymousUser, User
from django.db import IntegrityError, transaction
from django.db.models import ProtectedError
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from rushes.videos import access, keys
from rushes.videos.addresses import Addresses
from rushes.videos.models import ApiKey, Chunk, Encode, Rendition, Video, Visibility, new_public_id

HOUR_S = 3600


@given(st.floats(0, 1e6))
def test_a_token_lives_as_long_as_asked_and_not_two_hours_longer(lives_s: float) -> None:
    token = access.sign_playback("abc", lives_s)
    expires_s = int(token.partition(".")[0], 16)
    assert time.time() + lives_s <= expires_s <= time.time() + lives_s + HOUR_S + 2
    assert access.check_playback("abc", token)


def test_a_token_is_for_one_video_until_it_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    token = access.sign_playback("abc", 60)
    assert not access.check_playback("abd", token)
    for broken in (
        "",
        ".",
        "zz.yy",
        token + "x",
        token[1:],
        "-" + token,
        f"{10**30:x}." + token.partition(".")[2],
        "f" * 100_000 + "." + token.partition(".")[2],
        token.upper(),
        "0" + token,
        f" {token}",
        f"{token}\n",
        f"{token}\0",
        token.replace(".", ".ü"),
    ):
        assert not access.check_playback("abc", broken)
    # Nobody makes it live longer.
    expires_s = int(token.partition(".")[0], 16) + HOUR_S
    assert not access.check_playback("abc", f"{expires_s:x}.{token.partition('.')[2]}")
    late_s = time.time() + 3 * HOUR_S
    monkeypatch.setattr(time, "time", lambda: late_s)
    assert not access.check_playback("abc", token)


@pytest.mark.django_db
def test_who_may_watch_and_change() -> None:
    ann, bob = User.objects.create_user("ann"), User.objects.create_user("bob")
    staff = User.objects.create_user("staff", is_staff=True)
    video = Video.objects.create(owner=ann)
    anybody = AnonymousUser()
    assert [access.may_watch(video, user) for user in (ann, staff, bob, anybody, None)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert access.may_watch(video, anybody, access.sign_playback(video.public_id, 60))
    for visibility in (Visibility.PUBLIC, Visibility.UNLISTED):
        video.visibility = visibility
        assert access.may_watch(video, anybody)
        assert not access.may_edit(video, bob)
    video.owner = None
    assert not access.may_edit(video, anybody)


@pytest.mark.django_db
def test_a_key_is_shown_once_and_kept_as_a_hash() -> None:
    ann = User.objects.create_user("ann")
    key, secret = keys.make_key(ann, "laptop", ["read"])
    assert secret not in str(ApiKey.objects.values().get())
    assert keys.find_user(secret) == ann
    assert keys.find_user(secret, "submit") is None
    assert keys.find_user(secret + "x") is None
    ann.is_active = False
    ann.save()
    assert keys.find_user(secret) is None
    with pytest.raises(ValueError, match="Scopes"):
        keys.make_key(ann, "x", ["everything"])
    assert key.prefix == secret[:12]


@pytest.mark.databases
@pytest.mark.django_db
def test_keys_end() -> None:
    ann = User.objects.create_user("ann")
    for ended in (
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
    ):
        key, secret = keys.make_key(ann, "laptop", ["read"])
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() + timedelta(hours=1))
        assert keys.find_user(secret, "read") == ann
        ApiKey.objects.filter(pk=key.pk).update(**ended)
        assert keys.find_user(secret, "read") is None


@pytest.mark.django_db
def test_a_key_opens_what_its_scopes_say() -> None:
    ann = User.objects.create_user("ann")
    opened = {
        scope: {asked for asked in keys.SCOPES if keys.find_user(secret, asked)}
        for scope, secret in ((scope, keys.make_key(ann, scope, [scope])[1]) for scope in keys.SCOPES)
    }
    assert opened == {"submit": {"submit"}, "read": {"read"}, "work": {"work"}, "admin": set(keys.SCOPES)}


def test_addresses_of_private_videos_carry_a_token_that_outlives_the_video() -> None:
    video = Video(public_id="abc", duration_s=7200.0)
    address = Addresses(video).of("master.m3u8")
    path, _, query = address.partition("?")
    assert path == "/api/video/abc/master.m3u8"
    (token,) = parse_qs(query)["token"]
    assert access.check_playback("abc", token)
    assert int(token.partition(".")[0], 16) >= time.time() + 7200 + 6 * HOUR_S - 5
    assert Addresses(video).of("master.m3u8") == address, "the same for an hour: caches work"
    video.visibility = Visibility.UNLISTED
    assert Addresses(video).of("master.m3u8") == "/api/video/abc/master.m3u8"


@pytest.mark.databases
@pytest.mark.django_db
@pytest.mark.parametrize(
    "wrong",
    [
        {"status": "lost"},
        {"visibility": "nobody"},
        {"progress_percentage": 101},
        {"status": "ready"},
    ],
)
def test_the_database_refuses_what_cannot_be(wrong: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Video.objects.create(**wrong)


@pytest.mark.databases
@pytest.mark.django_db
def test_a_video_has_one_active_encode_and_many_others() -> None:
    video = Video.objects.create()
    made = {"video": video, "plan_json": "{}", "plan_version": 1, "source": "s"}
    Encode.objects.create(**made, state="active")
    for state in ("building", "retired", "retired", "failed"):
        Encode.objects.create(**made, state=state)
    for state in ("active", "lost"):
        with pytest.raises(IntegrityError), transaction.atomic():
            Encode.objects.create(**made, state=state)


@pytest.mark.databases
@pytest.mark.django_db
def test_renditions_and_chunks_are_there_once_and_counted() -> None:
    encode = Encode.objects.create(video=Video.objects.create(), plan_json="{}", plan_version=1, source="s")
    named = {"encode": encode, "key": "k", "kind": "video", "method": "encode", "codecs": "c", "position": 0}
    rung = Rendition.objects.create(**named, name="720p", chunk_count=2)
    for wrong in (
        {"name": "720p", "chunk_count": 2},
        {"name": "480p", "chunk_count": 2, "chunks_done": 3},
        {"name": "480p", "chunk_count": 2, "chunks_done": -1},
    ):
        with pytest.raises(IntegrityError), transaction.atomic():
            Rendition.objects.create(**named, **wrong)
    Chunk.objects.create(rendition=rung, index=0, state="done")
    for index, state in ((0, "done"), (0, "failed"), (1, "lost")):
        with pytest.raises(IntegrityError), transaction.atomic():
            Chunk.objects.create(rendition=rung, index=index, state=state)


@pytest.mark.databases
@pytest.mark.django_db
def test_a_user_with_videos_stays() -> None:
    ann = User.objects.create_user("ann")
    Video.objects.create(owner=ann)
    with pytest.raises(ProtectedError):
        ann.delete()


def test_public_ids_are_unguessable_and_need_no_escape() -> None:
    ids = {new_public_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{22}", public_id) for public_id in ids)

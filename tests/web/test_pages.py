"""Every page, for nobody, for the owner and for somebody else."""

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils.timezone import now

from rushes.engine.plan import PLAN_VERSION
from rushes.pipeline.plans import OUTDATED
from rushes.videos import access
from rushes.videos.models import Encode, Video

from .conftest import Sign

pytestmark = pytest.mark.django_db


def text(answer: Any) -> str:
    return " ".join(answer.content.decode().split())


def watch(video: Video) -> str:
    return f"/v/{video.public_id}/"


def make_ready(video: Video, **fields: Any) -> None:
    """Ready, with a download and pictures."""
    encode = Encode.objects.create(
        video=video, state="active", plan_json="{}", plan_version=PLAN_VERSION, plan_key="k", encoder_build="b",
        source="s", mp4="mp4/1/k.mp4", poster="images/1/k.jpg", thumbnail="images/1/t.jpg",
        storyboard="images/1/s.vtt", preview="images/1/p.mp4",
    )  # fmt: skip
    values = {"status": "ready", "ready_at": now(), "playable_at": now(), "duration_s": 65.0, "source": "s"}
    Video.objects.filter(pk=video.pk).update(active_encode=encode, **(values | fields))
    video.refresh_from_db()


# ------------------------------------------------------------------------------------------------ sign in


def test_signing_in_leads_to_the_library_and_signing_out_away_from_it(owner: User, signed_in: Sign) -> None:
    client = signed_in(None)
    page = client.get("/login/")
    assert "<h1" in text(page)
    assert 'autocomplete="current-password"' in text(page)
    answer = client.post("/login/", {"username": "ada", "password": "of the owner"}, follow=True)
    assert "Your videos" in text(answer)
    answer = client.post("/logout/", follow=True)
    assert "Sign in" in text(answer)
    assert client.get("/upload/").status_code == 302


def test_a_wrong_password_is_refused_with_a_sentence(owner: User, signed_in: Sign) -> None:
    answer = signed_in(None).post("/login/", {"username": "ada", "password": "a guess"})
    assert 'role="alert"' in text(answer)
    assert "correct username and password" in text(answer)


def test_after_signing_in_one_is_where_one_wanted_to_be(owner: User, signed_in: Sign) -> None:
    client = signed_in(None)
    answer = client.get("/upload/")
    assert answer["Location"] == "/login/?next=/upload/"
    answer = client.post(
        "/login/?next=/upload/", {"username": "ada", "password": "of the owner", "next": "/upload/"}
    )
    assert answer["Location"] == "/upload/"


# ------------------------------------------------------------------------------------------------ library


def test_the_library_shows_ones_own_videos_newest_first(
    owner: User, other: User, video: Video, signed_in: Sign
) -> None:
    Video.objects.create(owner=owner, title="Later")
    Video.objects.create(owner=other, title="Not hers", visibility="public", playable_at=now())
    page = text(signed_in(owner).get("/"))
    assert page.index("Later") < page.index("Harbour at dawn")
    assert "Not hers" not in page


def test_everybody_sees_public_videos_that_can_be_watched_and_no_others(
    owner: User, video: Video, signed_in: Sign
) -> None:
    for title, visibility, playable_at in (
        ("A public one", "public", now()),
        ("A public one that is not there yet", "public", None),
        ("An unlisted one", "unlisted", now()),
    ):
        Video.objects.create(owner=owner, title=title, visibility=visibility, playable_at=playable_at)
    page = text(signed_in(None).get("/"))
    assert "A public one<" in page
    assert "not there yet" not in page
    assert "unlisted" not in page
    assert "Harbour at dawn" not in page
    assert "Only you" not in page


def test_a_video_in_the_library_says_how_far_it_is(owner: User, video: Video, signed_in: Sign) -> None:
    client = signed_in(owner)
    assert ">Waiting" in text(client.get("/"))
    Video.objects.filter(pk=video.pk).update(status="processing", progress_percentage=42)
    page = text(client.get("/"))
    assert ">Processing 42 %<" in page
    assert "data-in-work" in page
    Video.objects.filter(pk=video.pk).update(status="failed", error="this is <b>no</b> video")
    page = text(client.get("/"))
    assert "Failed: this is &lt;b&gt;no&lt;/b&gt; video" in page
    assert "data-in-work" not in page


def test_a_ready_video_has_its_still_and_its_length(owner: User, video: Video, signed_in: Sign) -> None:
    client = signed_in(owner)
    assert "thumbnail.jpg" not in text(client.get("/"))
    make_ready(video)
    page = text(client.get("/"))
    assert f"/api/video/{video.public_id}/thumbnail.jpg?token=" in page
    assert f'data-preview="/api/video/{video.public_id}/preview.mp4?token=' in page
    assert "1:05" in page
    assert ">Ready<" in page


def test_an_empty_library_says_what_to_do(owner: User, signed_in: Sign) -> None:
    assert "Upload the first" in text(signed_in(owner).get("/"))
    assert "There are no public videos" in text(signed_in(None).get("/"))


def test_a_large_library_comes_in_pages(owner: User, signed_in: Sign) -> None:
    Video.objects.bulk_create(Video(owner=owner, title=f"number {i}") for i in range(30))
    client = signed_in(owner)
    first, second = text(client.get("/")), text(client.get("/?page=2"))
    assert first.count('id="video-') == 24
    assert second.count('id="video-') == 6
    assert "Page 1 of 2" in first
    assert text(client.get("/?page=nonsense")).count('id="video-') == 24


def test_a_library_at_rest_asks_the_database_few_questions(
    owner: User, signed_in: Sign, django_assert_max_num_queries: Any
) -> None:
    Video.objects.bulk_create(Video(owner=owner, status="ready", ready_at=now()) for _ in range(20))
    client = signed_in(owner)
    with django_assert_max_num_queries(5):
        client.get("/")


# ------------------------------------------------------------------------------------------------ watch


def test_a_private_video_is_not_there_for_others(
    owner: User, other: User, video: Video, signed_in: Sign
) -> None:
    assert signed_in(owner).get(watch(video)).status_code == 200
    for user in (other, None):
        assert signed_in(user).get(watch(video)).status_code == 404
    token = access.sign_playback(video.public_id, 60)
    page = signed_in(None).get(watch(video), {"token": token})
    assert page.status_code == 200
    assert 'id="edit"' not in text(page)


@pytest.mark.parametrize("visibility", ["unlisted", "public"])
def test_other_videos_can_be_watched_by_everybody_and_changed_by_the_owner(
    owner: User, other: User, video: Video, signed_in: Sign, visibility: str
) -> None:
    make_ready(video, visibility=visibility)
    for user in (other, None):
        page = text(signed_in(user).get(watch(video)))
        assert "Harbour at dawn" in page
        assert "Delete" not in page
        assert "token=" not in page
    assert "Delete" in text(signed_in(owner).get(watch(video)))


def test_a_private_videos_addresses_carry_a_token(owner: User, video: Video, signed_in: Sign) -> None:
    make_ready(video)
    page = text(signed_in(owner).get(watch(video)))
    for name in (
        "all.m3u8",
        "master.m3u8",
        "manifest.mpd",
        "events",
        "video.mp4",
        "poster.jpg",
        "storyboard.vtt",
    ):
        assert f"/api/video/{video.public_id}/{name}?token=" in page


def test_without_scripts_a_video_plays_by_its_playlist_or_its_download(
    owner: User, video: Video, signed_in: Sign
) -> None:
    client = signed_in(owner)
    assert "<source" not in text(client.get(watch(video)))
    make_ready(video, visibility="public")
    page = text(client.get(watch(video)))
    fallback = page[page.index("<noscript>") : page.index("</noscript>")]
    playlist = fallback.index("master.m3u8")
    assert playlist < fallback.index("video.mp4")


def test_a_playable_video_that_is_not_ready_has_a_player(owner: User, video: Video, signed_in: Sign) -> None:
    make_ready(video, status="processing", progress_percentage=1)
    Encode.objects.update(plan_json="")  # nothing here may need the plan's renditions
    Video.objects.filter(pk=video.pk).update(status="failed", error="a part is damaged")
    page = text(signed_in(owner).get(watch(video)))
    assert "Failed: a part is damaged" in page
    assert "What is there can be played" in page
    assert "<noscript> <video" in page


def test_a_failed_re_encode_is_told_beside_what_is_ready(owner: User, video: Video, signed_in: Sign) -> None:
    make_ready(video, error="the new file is no video", warnings=["The sound ends early."])
    page = text(signed_in(owner).get(watch(video)))
    assert ">Ready<" in page
    assert "the new file is no video" in page
    assert "The sound ends early." in page


# ------------------------------------------------------------------------------------------------ changes


def test_the_owner_changes_title_description_and_visibility(
    owner: User, video: Video, signed_in: Sign
) -> None:
    fields = {"title": "Dusk", "description": "<i>calm</i>", "visibility": "unlisted"}
    page = text(signed_in(owner).post(watch(video), fields, follow=True))
    assert "Saved." in page
    assert "&lt;i&gt;calm&lt;/i&gt;" in page
    video.refresh_from_db()
    assert (video.title, video.description, video.visibility) == ("Dusk", "<i>calm</i>", "unlisted")


def test_what_can_not_be_saved_is_said_at_its_field(owner: User, video: Video, signed_in: Sign) -> None:
    fields = {"title": "x" * 201, "description": "", "visibility": "secret"}
    answer = signed_in(owner).post(watch(video), fields)
    assert answer.status_code == 422
    assert "at most 200 characters" in text(answer)
    assert "secret is not one of the available choices" in text(answer)
    assert "Harbour at dawn · Rushes" in text(answer)
    video.refresh_from_db()
    assert video.title == "Harbour at dawn"


@pytest.mark.parametrize("path", ["", "delete/", "transcode/"])
def test_nobody_else_can_change_a_video(
    owner: User, other: User, video: Video, signed_in: Sign, path: str
) -> None:
    Video.objects.update(visibility="public")
    fields = {"title": "Mine", "description": "", "visibility": "public"}
    assert signed_in(other).post(watch(video) + path, fields).status_code == 404
    assert signed_in(None).post(watch(video) + path, fields).status_code in (302, 404)
    video.refresh_from_db()
    assert video.title == "Harbour at dawn"


def test_a_video_is_deleted_after_a_question(owner: User, video: Video, signed_in: Sign) -> None:
    client = signed_in(owner)
    assert "Delete “Harbour at dawn”?" in text(client.get(watch(video) + "delete/"))
    assert Video.objects.exists()
    page = text(client.post(watch(video) + "delete/", follow=True))
    assert "“Harbour at dawn” is deleted." in page
    assert not Video.objects.exists()


def test_what_has_no_source_can_not_be_encoded_again(owner: User, video: Video, signed_in: Sign) -> None:
    make_ready(video, source="")
    client = signed_in(owner)
    assert "Encode again" not in text(client.get(watch(video)))
    page = text(client.post(watch(video) + "transcode/", follow=True))
    assert "nothing to encode it from" in page


@pytest.mark.parametrize(
    "path", ["login/", "logout/", "upload/", "v/{id}/", "v/{id}/delete/", "v/{id}/transcode/"]
)
def test_a_form_from_elsewhere_is_refused(owner: User, video: Video, signed_in: Sign, path: str) -> None:
    client = signed_in(owner, enforce_csrf_checks=True)  # type: ignore[call-arg]
    answer = client.post("/" + path.format(id=video.public_id), {"title": "Mine"})
    assert answer.status_code == 403
    assert "That was not accepted" in text(answer)
    assert Video.objects.get().title == "Harbour at dawn"


# ------------------------------------------------------------------------------------------------ errors


def test_errors_come_in_the_style_of_the_site(signed_in: Sign) -> None:
    answer = signed_in(None).get("/nothing/here")
    assert answer.status_code == 404
    assert "Nothing here" in text(answer)
    assert "/login/?next=/nothing/here" in text(answer)


def test_a_fault_of_ours_says_so(owner: User, signed_in: Sign, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr("rushes.web.library.show", broken)
    answer = signed_in(owner, raise_request_exception=False).get("/")  # type: ignore[call-arg]
    assert answer.status_code == 500
    assert "This is a fault in Rushes" in text(answer)


def test_pages_hold_no_inline_scripts_or_styles(owner: User, video: Video, signed_in: Sign) -> None:
    make_ready(video)
    client = signed_in(owner)
    for path in ("/", "/upload/", watch(video), watch(video) + "delete/", "/nothing"):
        page = text(client.get(path))
        assert "<style" not in page
        assert " style=" not in page
        assert "<script>" not in page
        assert " onclick=" not in page
        assert '<html lang="en">' in page
        assert 'href="#main"' in page
        assert page.count("<h1") == 1


def test_a_video_that_another_version_encoded_says_so(signed_in: Sign, owner: User, video: Video) -> None:
    make_ready(video)
    Encode.objects.update(plan_version=PLAN_VERSION - 1)
    page = signed_in(owner).get(f"/v/{video.public_id}/").content.decode()
    assert OUTDATED in page
    assert "There is nothing to play." in page
    assert '<button id="again">Encode again</button>' in page
    assert signed_in(owner).get("/").status_code == 200

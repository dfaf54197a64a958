"""What is refused at start, by name and with one sentence; and what values mean."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from rushes.config import delivery
from rushes.config.environment import VARIABLES, EnvironmentRefused, read
from rushes.config.keptkey import keep_key, kept_key

ROOT = Path(__file__).parent.parent.parent
KEY = {"SECRET_KEY": "a key of the tests"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEBUG", "perhaps"),
        ("DATABASE_URL", "mysql://root@db/rushes"),
        ("DATABASE_URL", "postgres://db:port/rushes"),
        ("DATABASE_URL", "rushes.sqlite3"),
        ("DATABASE_URL", "postgres:///"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("ALLOWED_HOSTS", "https://example.com"),
        ("ALLOWED_HOSTS", "example.com:8000"),
        ("VIDEO_QUALITY_PRESETS", "1080p,tall"),
        ("VIDEO_QUALITY_PRESETS", "720p,720"),
        ("VIDEO_QUALITY_PRESETS", "721p"),
        ("VIDEO_QUALITY_PRESETS", ","),
        ("RUSHES_QUALITY", "better"),
        ("RUSHES_CODECS", "h264,vp9"),
        ("RUSHES_CODECS", "hevc,av1"),
        ("RUSHES_CODECS", "h264,h264"),
        ("RUSHES_RUNGS", "721p crf=20"),
        ("RUSHES_RUNGS", "720p"),
        ("RUSHES_RUNGS", "720p crf=0"),
        ("RUSHES_RUNGS", "720p crf=20 crf=21"),
        ("RUSHES_RUNGS", "720p preset=fastest"),
        ("RUSHES_RUNGS", "720p-av1 preset=slow"),
        ("RUSHES_RUNGS", "720p bitrate=2500kbit"),
        ("RUSHES_RUNGS", "720p-vp9 crf=20"),
        ("RUSHES_GPU", "cuda"),
        ("RUSHES_MAX_UPLOAD_MB", "0"),
        ("RUSHES_MAX_UPLOAD_MB", "2GB"),
        ("RUSHES_MAX_UPLOAD_MB", "1e3"),
        ("RUSHES_KEEP_SOURCE", "never"),
        ("RUSHES_INTAKE_ROOTS", "/srv/in,videos"),
        ("RUSHES_DELIVERY", "kafka"),
        ("RUSHES_VAR", "a\0b"),
        ("REDIS_URL", "127.0.0.1:6379"),
        ("REDIS_URL", "redis://127.0.0.1:6379/one"),
        ("REDIS_PORT", "70000"),
        ("REDIS_DB", "-1"),
        ("RQ_URL", "http://127.0.0.1"),
        ("RQ_QUEUE_TRANSCODE", "two words"),
        ("CELERY_BROKER_URL", "localhost"),
        ("ENCODING_WORKERS", "many"),
        ("ENCODING_WORKERS", "0"),
        ("POLL_INTERVAL", "0"),
        ("POLL_INTERVAL", "nan"),
        ("WORKER_ID", "worker 1"),
        ("RUSHES_QUEUES", "video:transcod concurrency=2"),
        ("RUSHES_QUEUES", "video:transcode"),
        ("RUSHES_QUEUES", "video:transcode=2"),
        ("RUSHES_QUEUES", "video:transcode speed=2"),
        ("RUSHES_QUEUES", "video:transcode concurrency=0"),
        ("RUSHES_QUEUES", "video:transcode concurrency=1.5"),
        ("RUSHES_QUEUES", "* attempts=3 attempts=4"),
        ("RUSHES_QUEUES", "* backoff_s=-1"),
        ("RUSHES_QUEUE_LIMIT", "0"),
        ("RUSHES_WORKER_MAX_JOBS", "some"),
        ("RUSHES_CPU_SLOTS", "0"),
        ("AWS_S3_ENDPOINT_URL", "minio:9000"),
        ("MAIN_BACKEND_URL", "ftp://backend"),
        ("RUSHES_WEBHOOK_SECRET", "short"),
        ("RUSHES_WEBHOOK_SECRET", "whsec_!"),
        ("RUSHES_TEST_DATABASE", "oracle"),
    ],
)
def test_a_malformed_value_is_refused_by_name_in_one_sentence(name: str, value: str) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        read({**KEY, name: value})
    assert str(refused.value).startswith(name)
    assert "\n" not in str(refused.value)


def test_an_unknown_name_of_ours_is_refused_and_the_likely_one_is_named() -> None:
    with pytest.raises(
        EnvironmentRefused, match=r"^RUSHES_KEEP_SOURCES .* did you mean RUSHES_KEEP_SOURCE\?"
    ):
        read({**KEY, "RUSHES_KEEP_SOURCES": "true"})


def test_names_of_others_are_none_of_our_business() -> None:
    assert read({**KEY, "DATABASE_URI": "x", "MEDIA": "y"}).database_url is None


@pytest.mark.parametrize("name", ["RUSHES_WEBHOOK_SECRET", "DATABASE_URL", "REDIS_URL"])
def test_a_message_never_repeats_what_may_be_a_password(name: str) -> None:
    with pytest.raises(EnvironmentRefused) as refused:
        read({**KEY, name: "hunter2"})
    assert "hunter2" not in str(refused.value)


def test_a_key_is_needed_unless_it_is_for_development() -> None:
    with pytest.raises(EnvironmentRefused, match=r"^SECRET_KEY "):
        read({})
    assert read({"DEBUG": "true"}).secret_key is None


def test_an_empty_value_is_an_unset_one_but_an_empty_rq_queue_means_inline() -> None:
    empty = read({**dict.fromkeys(VARIABLES, ""), "DEBUG": "1"})
    assert empty.rq_queue_transcode == ""
    unset = read({"DEBUG": "1"})
    assert unset.rq_queue_transcode == "transcode"
    assert {name for name in vars(empty) if getattr(empty, name) != getattr(unset, name)} == {
        "rq_queue_transcode"
    }


def test_values_are_typed() -> None:
    environment = read(
        {
            **KEY,
            "VIDEO_QUALITY_PRESETS": "360p, 720,1080P",
            "RUSHES_MAX_UPLOAD_MB": "200",
            "RUSHES_KEEP_SOURCE": "False",
            "ALLOWED_HOSTS": "example.com, .example.org,[::1]",
            "RUSHES_INTAKE_ROOTS": "/srv/a,/srv/b",
            "POLL_INTERVAL": "2.5",
            "MEDIA_ROOT": "media",
            "RUSHES_QUEUES": "video:transcode concurrency=4 limit_s=7200.5; * attempts=5 concurrency=1",
        }
    )
    assert environment.video_quality_presets == (1080, 720, 360)
    assert environment.rushes_max_upload_mb == 200
    assert environment.rushes_keep_source is False
    assert environment.allowed_hosts == ("example.com", ".example.org", "[::1]")
    assert environment.rushes_intake_roots == (Path("/srv/a"), Path("/srv/b"))
    assert environment.poll_interval == 2.5
    assert environment.rushes_queues is not None
    assert environment.rushes_queues["video:transcode"] == {
        "concurrency": 4,
        "limit_s": 7200.5,
        "attempts": 5,
    }
    assert environment.rushes_queues["image:sprite"] == {"concurrency": 1, "attempts": 5}
    assert environment.media_root == Path("media").absolute()


def manage(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    kept.pop("DJANGO_SETTINGS_MODULE", None)
    return subprocess.run(
        [sys.executable, ROOT / "manage.py", *arguments],
        env={**kept, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_line_shows_a_refusal_as_one_line(tmp_path: Path) -> None:
    ended = manage("check", RUSHES_VAR=str(tmp_path), DEBUG="true", RUSHES_KEEP_SOURSE="1")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.count("\n") == 1
    assert "RUSHES_KEEP_SOURSE" in ended.stderr


def test_commands_beside_make_run_find_the_key_that_it_keeps(tmp_path: Path) -> None:
    refused = manage("check", RUSHES_VAR=str(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.startswith("Error: SECRET_KEY ")
    keep_key(tmp_path)
    assert manage("check", RUSHES_VAR=str(tmp_path)).returncode == 0


def test_the_kept_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    assert kept_key(tmp_path) is None
    keys = {keep_key(tmp_path) for _ in range(3)}
    assert keys == {kept_key(tmp_path)}
    (path,) = tmp_path.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert len(path.read_text()) >= 50


@pytest.mark.parametrize("name", [".env.dev", ".env.prod"])
def test_the_environments_that_ship_are_read_without_complaint(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    values = dict(line.split("=", 1) for line in lines)
    assert values.keys() <= set(VARIABLES)
    environment = read({**values, "SECRET_KEY": values.get("SECRET_KEY") or "filled in"})
    assert environment.debug is (name == ".env.dev")
    assert environment.redis_url == f"redis://127.0.0.1:6379/{1 if name == '.env.dev' else 0}"


def test_engines_have_as_many_processes_as_the_table_of_queues_says() -> None:
    table = read(KEY)
    assert (delivery.bulk_processes(table), delivery.quick_processes(table)) == (4, 5)
    changed = read(KEY | {"RUSHES_QUEUES": "* concurrency=3; control concurrency=1"})
    assert (delivery.bulk_processes(changed), delivery.quick_processes(changed)) == (3, 4)
    assert delivery.bulk_processes(read(KEY | {"ENCODING_WORKERS": "6"})) == 6

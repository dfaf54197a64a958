"""Every environment variable that configures Rushes: its name, how it is read, and what it means.

A malformed value, and an unknown name that begins with RUSHES_, is refused at start by name: a typo must not be found
by what silently went wrong weeks later. An empty value is an unset one, except where the table says otherwise.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args
from urllib.parse import SplitResult, urlsplit

from django.core.exceptions import ImproperlyConfigured

from rushes.jobs.queues import parse_changes
from rushes.pipeline import choices

Delivery = Literal["database", "rq", "celery", "q2"]

DATABASE_SCHEMES = ("sqlite", "postgres", "postgresql", "pgsql")
REDIS_SCHEMES = ("redis", "rediss", "unix")
PRESETS = range(16, 4321, 2)  # what the engine makes: an even number of lines
TRUE_WORDS = ("1", "true", "yes", "on")
FALSE_WORDS = ("0", "false", "no", "off")


class EnvironmentRefused(ImproperlyConfigured):
    """A variable is malformed, missing or unknown; the message is one sentence that names it and the mend."""


def _text(value: str) -> str:
    return value


def _boolean(value: str) -> bool:
    if value.lower() in TRUE_WORDS:
        return True
    if value.lower() in FALSE_WORDS:
        return False
    raise ValueError("write true or false")


def _whole(lowest: int, highest: int | None = None) -> Callable[[str], int]:
    def read(value: str) -> int:
        asked = f"a whole number of at least {lowest}" + (f" and at most {highest}" if highest else "")
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ValueError(f"write {asked}")
        number = int(value)
        if number < lowest or (highest is not None and number > highest):
            raise ValueError(f"write {asked}")
        return number

    return read


def _seconds(value: str) -> float:
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value) or float(value) <= 0:
        raise ValueError("write a number of seconds above 0")
    return float(value)


def _lufs(value: str) -> float:
    if not re.fullmatch(r"-[0-9]{1,2}(\.[0-9])?", value) or not -31 <= float(value) <= -5:
        raise ValueError(
            "write a loudness from -31 to -5, for example -16 (podcasts, web) or -23 (broadcast)"
        )
    return float(value)


def _names(value: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in value.split(",") if part.strip())


def _hosts(value: str) -> tuple[str, ...]:
    hosts = _names(value)
    for host in hosts:
        if not re.fullmatch(r"\*|\.?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*|\[[0-9A-Fa-f:.]+\]", host):
            raise ValueError(
                f"{host!r} is not a host name; write names without scheme and port, with commas between them"
            )
    return hosts


def _url(*schemes: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        parts = _url_parts(value, schemes)
        if not parts.hostname and parts.scheme != "unix":
            raise ValueError("the URL names no host")
        return value

    return read


def _url_parts(value: str, schemes: tuple[str, ...]) -> SplitResult:
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"it is not a URL: {error}") from error
    if parts.scheme not in schemes:
        raise ValueError(f"write a URL that begins with {_either([f'{scheme}://' for scheme in schemes])}")
    if port == 0:
        raise ValueError("0 is no port")
    return parts


def _database_url(value: str) -> str:
    parts = _url_parts(value.replace(":memory:", ""), DATABASE_SCHEMES)
    if not parts.path.strip("/"):
        # A database in memory is seen by one process alone; workers are others.
        what = "file, as in sqlite:////srv/rushes.sqlite3" if parts.scheme == "sqlite" else "database"
        raise ValueError(f"the URL names no {what}")
    return value


def _redis_url(value: str) -> str:
    url = _url(*REDIS_SCHEMES)(value)
    database = urlsplit(url).path.strip("/")
    if urlsplit(url).scheme != "unix" and database and not database.isdigit():
        raise ValueError("what follows the host is the number of a database, as in redis://127.0.0.1:6379/1")
    return url


def _broker_url(value: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*://.*|memory://", value):
        raise ValueError("write a broker's URL, as in redis://127.0.0.1:6379/0 or amqp://guest@127.0.0.1//")
    return value


def _path(value: str) -> Path:
    if "\0" in value:
        raise ValueError("a path can't have a null byte in it")
    return Path(value).expanduser().absolute()


def _absolute_paths(value: str) -> tuple[Path, ...]:
    paths = tuple(Path(part) for part in _names(value))
    for path in paths:
        if not path.is_absolute():
            raise ValueError(f"{str(path)!r} is not absolute; write whole paths, with commas between them")
    return paths


def _presets(value: str) -> tuple[int, ...]:
    lines = []
    for part in _names(value):
        match = re.fullmatch(r"([0-9]{1,4})p?", part.lower())
        if match is None or int(match[1]) not in PRESETS:
            raise ValueError(f"{part!r} is not a size; write for example 1080p,720p,480p,360p")
        lines.append(int(match[1]))
    if not lines or len(set(lines)) != len(lines):
        raise ValueError("write each size once, for example 1080p,720p,480p,360p")
    return tuple(sorted(lines, reverse=True))


def _choice(*choices: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        if value not in choices:
            raise ValueError(f"write {_either(choices)}")
        return value

    return read


def _name(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", value):
        raise ValueError("write letters, digits and . _ : - only, at most 100 of them")
    return value


def _webhook_secret(value: str) -> str:
    """As Standard Webhooks writes it: `whsec_` and base64; other text of 24 characters or more is taken as it is."""
    if value.startswith("whsec_"):
        try:
            secret = base64.b64decode(value.removeprefix("whsec_"), validate=True)
        except binascii.Error as error:
            raise ValueError("after whsec_ base64 has to follow") from error
        if not 24 <= len(secret) <= 64:
            raise ValueError("after whsec_ the base64 of 24 to 64 bytes has to follow")
    elif len(value) < 24:
        raise ValueError("write at least 24 characters that nobody can guess")
    return value


def _either(choices: tuple[str, ...] | list[str]) -> str:
    *most, last = choices
    return f"{', '.join(most)} or {last}" if most else last


def _variable(read: Callable[[str], Any], default: Any = None, *, empty: Any = None) -> Any:
    """A field of Environment; `empty` is what an empty value means where that is not the default."""
    return field(default=default, metadata={"read": read, "empty": default if empty is None else empty})


@dataclass(frozen=True, kw_only=True)
class Environment:
    """The variables, typed. A field's name is the variable's in lower case."""

    rushes_var: Path = _variable(_path, Path("var"))  # database, media, credentials
    database_url: str | None = _variable(_database_url)  # None: SQLite in RUSHES_VAR
    secret_key: str | None = _variable(_text)  # None only with DEBUG
    debug: bool = _variable(_boolean, False)
    allowed_hosts: tuple[str, ...] = _variable(_hosts, ())  # empty: this machine's own names
    media_root: Path | None = _variable(_path)  # None: RUSHES_VAR/media
    ffmpeg_path: str | None = _variable(_text)  # None: the bundled one
    ffprobe_path: str | None = _variable(_text)
    temp_videos_dir: Path | None = _variable(_path)  # None: beside the media, so that publishing is a rename
    video_quality_presets: tuple[int, ...] = _variable(_presets, (1080, 720, 480, 360))  # short sides
    rushes_quality: str = _variable(_choice(*choices.QUALITIES), "standard")
    rushes_codecs: tuple[str, ...] = _variable(choices.parse_codecs, ("h264",))
    rushes_rungs: Mapping[str, Any] | None = _variable(choices.parse_changes)  # None: as the quality says
    rushes_gpu: str | None = _variable(_choice(*choices.GPUS))  # None: encoders are software
    rushes_max_upload_mb: int | None = _variable(_whole(1))  # None: the free disk decides
    rushes_keep_source: bool = _variable(_boolean, True)
    rushes_loudness_lufs: float | None = _variable(_lufs)  # None: as loud as the source is
    rushes_captions_model: Path | None = _variable(
        _path
    )  # a speech model's folder; None: no captions by machine
    rushes_intake_roots: tuple[Path, ...] = _variable(_absolute_paths, ())

    rushes_delivery: Delivery = _variable(_choice(*get_args(Delivery)), "database")
    encoding_workers: int | None = _variable(
        _whole(1, 1000)
    )  # processes; None: as many as keep all cores busy
    poll_interval: float = _variable(
        _seconds, 1.0
    )  # seconds; how often workers look where nothing has woken them
    worker_id: str | None = _variable(_name)  # None: host name and process
    rushes_worker_max_jobs: int | None = _variable(_whole(0))  # of one worker process; 0: never started again
    rushes_queues: Mapping[str, Mapping[str, float]] | None = _variable(
        parse_changes
    )  # None: as the table says
    rushes_queue_limit: int = _variable(_whole(1), 50)  # videos in line; past it no more are taken
    rushes_cpu_slots: int | None = _variable(
        _whole(1, 1000)
    )  # ffmpegs at once on this host; None: one a core
    rushes_lock_folder: Path | None = _variable(_path)  # of the CPU slots; None: of this user, on this host

    redis_url: str | None = _variable(_redis_url)  # None: no Redis
    redis_host: str | None = _variable(_text)
    redis_port: int = _variable(_whole(1, 65535), 6379)
    redis_db: int = _variable(_whole(0), 0)
    rq_url: str = _variable(_redis_url, "redis://127.0.0.1:6379/0")
    rq_queue_transcode: str = _variable(_name, "transcode", empty="")  # empty: inline
    celery_broker_url: str | None = _variable(_broker_url)
    celery_result_backend: str | None = _variable(_text)

    aws_access_key_id: str | None = _variable(_text)
    aws_secret_access_key: str | None = _variable(_text)
    aws_s3_region_name: str | None = _variable(_text)
    aws_storage_bucket_name: str | None = _variable(_text)
    aws_s3_endpoint_url: str | None = _variable(_url("http", "https"))
    main_backend_url: str | None = _variable(_url("http", "https"))
    rushes_webhook_secret: str | None = _variable(_webhook_secret)

    # Of `rushes upload` and of the tests alone; known here, so that they are not refused.
    rushes_token: str | None = _variable(_text)
    rushes_clips: str | None = _variable(_text)
    rushes_test_database: str | None = _variable(_choice("sqlite", "postgres"))


#: The names of all variables.
VARIABLES = tuple(field.name.upper() for field in fields(Environment))


def read(environ: Mapping[str, str]) -> Environment:
    """The environment, typed. Raises EnvironmentRefused for the first thing that is wrong with it."""
    for name in environ:
        if name.startswith("RUSHES_") and name not in VARIABLES:
            near = difflib.get_close_matches(name, VARIABLES, n=1)
            meant = f"did you mean {near[0]}?" if near else "unset it."
            raise EnvironmentRefused(f"{name} is not a variable that Rushes knows; {meant}")
    values: dict[str, Any] = {}
    for variable in fields(Environment):
        name = variable.name.upper()
        if (text := environ.get(name)) is None:
            continue
        if not text.strip():
            values[variable.name] = variable.metadata["empty"]
            continue
        try:
            values[variable.name] = variable.metadata["read"](text.strip())
        except ValueError as error:
            shown = "" if _is_secret(name) else f" {text!r}"
            raise EnvironmentRefused(f"{name}{shown} is malformed: {str(error).rstrip('.')}.") from error
    environment = Environment(**values)
    if environment.secret_key is None and not environment.debug:
        raise EnvironmentRefused(
            "SECRET_KEY is not set; set it to 50 random characters, or DEBUG=true on a machine of your own."
        )
    return environment


def _is_secret(name: str) -> bool:
    """Whether a value may hold a password: it is left out of messages, which end up in logs."""
    return any(word in name for word in ("SECRET", "KEY", "URL", "BACKEND"))


__all__ = ["VARIABLES", "Delivery", "Environment", "EnvironmentRefused", "read"]

"""Captions made by machine: what is said in a video, by a speech model that its operator has put on the machine.

The library (`pip install rushes[captions]`) and the model are both optional: nothing is imported or loaded unless
captions are asked for, and nothing is ever downloaded.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from . import EngineError
from .cues import Cue, in_order, make_cue
from .languages import bcp47
from .limits import INPUT_GUARDS
from .process import Cancelled, Limits, ffmpeg_argv, start

SPEECH_RATE_HZ = 16_000  # what Whisper's models are made for
_LIBRARY = "faster_whisper"
_NO_LIBRARY = (
    "The library for captions is not installed: run pip install 'rushes[captions]', "
    "or unset RUSHES_CAPTIONS_MODEL."
)
_MAX_LINE = 42  # characters: what broadcasters set
_LOOK_S = 0.1


class NoCaptions(EngineError):
    """Captions can't be made here; the message says what is missing, in words of whoever runs the server."""


@dataclass(frozen=True, kw_only=True)
class Said:
    """Something that was said."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True, kw_only=True)
class Transcript:
    """What was said, in order, lazily, and in which language (as the model names it)."""

    language: str | None
    said: Iterable[Said]


class Listener(Protocol):
    """A speech model."""

    def listen(self, sound: Path) -> Transcript:
        """Hear a mono WAV file of `SPEECH_RATE_HZ`."""


Loader = Callable[[Path], Listener]


def listener(model: Path | None, load: Loader | None = None) -> Listener:
    """The model at that path, ready to listen. Raises NoCaptions."""
    return (load or _load_faster_whisper)(_folder_of(model))


def check(model: Path | None) -> None:
    """Whether captions can be made here, without loading anything. Raises NoCaptions."""
    _folder_of(model)
    if find_spec(_LIBRARY) is None:
        raise NoCaptions(_NO_LIBRARY)


def speech_command(sound: str, output: str) -> list[str]:
    """The sound of a published track as a speech model takes it."""
    return [
        *INPUT_GUARDS,
        *("-i", sound),
        *("-map", "0:a:0"),
        *("-ar", str(SPEECH_RATE_HZ)),
        *("-ac", "1"),
        *("-c:a", "pcm_s16le"),
        *("-f", "wav"),
        output,
    ]


def caption_cues(
    hearing: Listener,
    sound: Path,
    duration_s: Fraction,
    ffmpeg: Path,
    folder: Path,
    *,
    cancel: threading.Event | None = None,
) -> tuple[str | None, tuple[Cue, ...]]:
    """Language by BCP 47 and cues of what is said in a published track; it begins where the time line does.

    Slow: about as long as the sound. Raises NoCaptions where the model fails, Cancelled, and what `FfmpegRun.wait`
    raises.
    """
    cancel = cancel or threading.Event()
    speech = folder / "speech.wav"
    argv = ffmpeg_argv(ffmpeg, speech_command(str(sound.absolute()), speech.name))
    with start(argv, scratch=folder, limits=Limits(nice=10)) as run:
        while not run.wait_for(_LOOK_S):
            if cancel.is_set():
                run.cancel()
                run.wait()
                raise Cancelled("nobody needs these captions any more")
        run.wait()
    try:
        transcript = hearing.listen(speech)
        cues = list(_cues(transcript.said, cancel))
    except (Cancelled, OSError):
        raise
    except Exception as error:  # whatever a model's library raises
        raise NoCaptions(f"The speech model failed: {error}") from error
    return bcp47(transcript.language), in_order(cues, end_ms=round(duration_s * 1000))


def _cues(said: Iterable[Said], cancel: threading.Event) -> Iterator[Cue]:
    for part in said:
        if cancel.is_set():
            raise Cancelled("nobody needs these captions any more")
        # A model says nothing of tags: what looks like one was said.
        text = escape("\n".join(_lines(part.text)), quote=False)
        cue = make_cue(round(part.start_s * 1000), round(part.end_s * 1000), text)
        if cue is not None:
            yield cue


def _lines(text: str) -> Iterator[str]:
    line = ""
    for word in text.split():
        if line and len(line) + 1 + len(word) > _MAX_LINE:
            yield line
            line = word
        else:
            line = f"{line} {word}" if line else word
    if line:
        yield line


def _folder_of(model: Path | None) -> Path:
    if model is None:
        raise NoCaptions("No speech model is configured: set RUSHES_CAPTIONS_MODEL to the folder of one.")
    if not model.is_dir():
        raise NoCaptions(
            f"RUSHES_CAPTIONS_MODEL names {model}, which is no folder; put a model of faster-whisper there."
        )
    return model


def _load_faster_whisper(model: Path) -> Listener:
    try:
        library: Any = import_module(_LIBRARY)
    except ImportError as error:
        raise NoCaptions(_NO_LIBRARY) from error
    try:
        # A folder is read as it is; by a name the library would fetch a model from the network.
        loaded = library.WhisperModel(str(model), device="auto", compute_type="auto", local_files_only=True)
    except Exception as error:
        raise NoCaptions(f"{model} holds no model that faster-whisper can load: {error}") from error
    return _FasterWhisper(loaded)


class _FasterWhisper:
    def __init__(self, model: Any) -> None:
        self._model = model

    def listen(self, sound: Path) -> Transcript:
        segments, about = self._model.transcribe(str(sound), vad_filter=True)
        said = (Said(start_s=part.start, end_s=part.end, text=part.text) for part in segments)
        return Transcript(language=about.language, said=said)

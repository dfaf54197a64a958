"""Groups of a multivariant playlist (EXT-X-MEDIA): sound in stereo, sound in surround, subtitles."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

from .labels import track_labels, track_language
from .plan import AudioTrack, Plan
from .webvtt import SEGMENT_S, TextTrack, segments_until

STEREO, SURROUND, TEXT = "audio", "surround", "subs"
#: Of subtitles for those who cannot hear (Apple's authoring guide, 4.12).
_FOR_THE_DEAF = (
    "public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound"
)


@dataclass(frozen=True, kw_only=True)
class AudioGroup:
    """Tracks of which a player plays one: a member for each stream of the source."""

    name: str
    tracks: tuple[AudioTrack, ...]


def audio_groups(plan: Plan, *, together: bool = False) -> tuple[AudioGroup, ...]:
    """Stereo first: what every player can start with. In surround each stream without it has its stereo track.

    `together`: one group of all tracks, for a page that lets people choose.
    """
    if together:
        return (AudioGroup(name=STEREO, tracks=plan.audio),) if plan.audio else ()
    surround = {track.number: track for track in plan.audio if track.surround}
    groups = (
        AudioGroup(name=STEREO, tracks=plan.stereo),
        AudioGroup(
            name=SURROUND,
            tracks=tuple(surround.get(track.number, track) for track in plan.stereo) if surround else (),
        ),
    )
    return tuple(group for group in groups if group.tracks)


def audio_members(plan: Plan, group: AudioGroup, root: str) -> Iterator[str]:
    """A line for each track; `root` is the way from the playlist to the folder of renditions.

    A stream has the same name, language and rank in every group (RFC 8216, 4.3.4.2.1).
    """
    together = len(group.tracks) > len(plan.stereo)
    named = group.tracks if together else plan.stereo
    defaults = {track.number for track in plan.stereo if track.default}
    languages: set[str | None] = {track_language(track) for track in plan.stereo if track.default}
    for track, label in zip(group.tracks, track_labels(named), strict=True):
        language = track_language(track)
        default = track.number in defaults and not (together and track.surround)
        # Of those that a player may choose by itself no two have the same language (RFC 8216, 4.3.4.1.1).
        chosen_alone = default or (language is not None and language not in languages)
        languages.add(language)
        told: dict[str, object] = {"TYPE": "AUDIO", "GROUP-ID": quoted(group.name), "NAME": quoted(label)}
        if language is not None:
            told["LANGUAGE"] = quoted(language)
        told |= {
            "DEFAULT": "YES" if default else "NO",
            "AUTOSELECT": "YES" if chosen_alone else "NO",
            "CHANNELS": quoted(str(track.channels)),
            "URI": quoted(f"{root}{track.name}/audio.m3u8"),
        }
        yield "#EXT-X-MEDIA:" + attributes(told)


def text_members(texts: Sequence[TextTrack], root: str) -> Iterator[str]:
    """A line for each subtitle track; at most one is shown without being asked for."""
    taken: set[str] = set()
    chosen = next((text for text in texts if text.default), None)
    for text in texts:
        label, count = text.label, 1
        while label in taken:
            count += 1
            label = f"{text.label} ({count})"
        taken.add(label)
        told: dict[str, object] = {"TYPE": "SUBTITLES", "GROUP-ID": quoted(TEXT), "NAME": quoted(label)}
        if text.language is not None:
            told["LANGUAGE"] = quoted(text.language)
        told |= {
            "DEFAULT": "YES" if text is chosen else "NO",
            # By what a viewer's system prefers: its language, or captions for the deaf.
            "AUTOSELECT": "YES" if text is chosen or text.language is not None else "NO",
            "FORCED": "YES" if text.forced else "NO",
        }
        if text.hearing_impaired:
            told["CHARACTERISTICS"] = quoted(_FOR_THE_DEAF)
        told["URI"] = quoted(f"{root}{text.name}/subs.m3u8")
        yield "#EXT-X-MEDIA:" + attributes(told)


def text_segments(text: TextTrack, duration_s: Fraction) -> Iterator[str]:
    """The media playlist of a subtitle track, from EXT-X-TARGETDURATION to its end: as long as the video."""
    count = segments_until(duration_s)
    last_s = max(duration_s - (count - 1) * SEGMENT_S, Fraction(1, 1000))
    yield f"#EXT-X-TARGETDURATION:{SEGMENT_S}"
    yield "#EXT-X-MEDIA-SEQUENCE:0"
    yield "#EXT-X-PLAYLIST-TYPE:VOD"
    for number in range(count):
        length_s = SEGMENT_S if number < count - 1 else last_s
        yield f"#EXTINF:{float(length_s):.6f},"
        yield text.segment_name(number).removeprefix(f"{text.name}/")
    yield "#EXT-X-ENDLIST"


def attributes(told: Mapping[str, object]) -> str:
    """An attribute list."""
    return ",".join(f"{name}={value}" for name, value in told.items())


def quoted(text: str) -> str:
    """A quoted-string, which holds no quotation marks or line breaks: `labels.plain` has taken them out of titles.

    Raises ValueError.
    """
    if any(c in text for c in '"\r\n'):
        raise ValueError(f"{text!r} cannot be an attribute of a playlist.")
    return f'"{text}"'

"""Which chunks become jobs now: for a first picture, for whoever waits, and in a window ahead of what is done.

The choosing is pure; writing the jobs is at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from heapq import merge
from itertools import islice

from rushes.engine.plan import AudioTrack, Plan, Rung
from rushes.engine.schedule import SOUND_BEHIND_S
from rushes.engine.slots import usable_cores
from rushes.jobs.ledger import enqueue
from rushes.jobs.models import OPEN, Job
from rushes.jobs.queues import SUBTITLE, TRANSCODE, WAITING, Priority, Queue
from rushes.videos.models import Chunk, Encode

from .marks import Place, Settled
from .plans import plan_of

#: Background jobs of one video at a time: enough that no worker waits, few enough that videos take turns.
WINDOW_PER_CORE = 2
AHEAD_CHUNKS = 3  # made before a viewer asks for them


@dataclass(frozen=True, kw_only=True)
class Wish:
    """A chunk of one rendition, or of several in one process, that is to become a job."""

    renditions: tuple[str, ...]
    chunk: int
    priority: Priority

    @property
    def places(self) -> Iterator[Place]:
        """Rendition and chunk of all that it makes."""
        return ((name, self.chunk) for name in self.renditions)


def first_wishes(plan: Plan, settled: Collection[Place]) -> list[Wish]:
    """What a first picture with sound needs, each alone: the copied rung, the default tracks, the lead rung."""
    needed: list[Rung | AudioTrack | None] = [
        plan.copied_rung,
        *(track for track in plan.audio if track.default),
        plan.lead_rung,
    ]
    return [
        Wish(renditions=(rendition.name,), chunk=0, priority=Priority.FIRST)
        for rendition in needed
        if rendition is not None and (rendition.name, 0) not in settled
    ]


def playable(plan: Plan, done: Collection[Place]) -> bool:
    """Whether playback can start: a picture that goes on, and its sound."""
    pictures = [rung for rung in (plan.copied_rung, plan.lead_rung) if rung is not None]
    sound = all((track.name, 0) in done for track in plan.audio if track.default)
    return sound and (not pictures or any((rung.name, 0) in done for rung in pictures))


def window(
    plan: Plan,
    settled: Collection[Place],
    open_places: Collection[Place],
    size: int,
    until: Mapping[str, int] | None = None,
) -> list[Wish]:
    """The next background chunks in playing order, at most `size`: of copies, of sound, and of each ladder as one.

    Settled are also all below `until`, by rendition. Sound follows the picture by `SOUND_BEHIND_S`: its chunks are
    short, and the last of them keep all cores busy; whoever watches promotes them.
    """
    gone = {rendition.name: _Gone((until or {}).get(rendition.name, 0)) for rendition in plan.renditions}
    for name, chunk in (*settled, *open_places):
        gone[name].add(chunk)
    single = [r for r in plan.renditions if isinstance(r, AudioTrack) or r.method == "copy"]
    streams = [_alone(rendition, gone[rendition.name]) for rendition in single]
    # A ladder after the first comes when that is made: every player plays by then.
    for number, ladder in enumerate(plan.ladders):
        streams.append(_ladder(ladder, gone, number * (plan.duration_s + SOUND_BEHIND_S)))
    return [wish for _, wish in islice(merge(*streams, key=lambda turn: turn[0]), size)]


def around(plan: Plan, rendition: str, segment: int | None, settled: Collection[Place]) -> list[Wish]:
    """What a viewer who waits for that segment needs: its chunk now, and soon those that follow."""
    timeline = plan.rendition(rendition).timeline
    first = timeline.chunk_of(segment or 0)
    last = min(first + AHEAD_CHUNKS, timeline.chunk_count - 1)
    return [
        Wish(
            renditions=(rendition,),
            chunk=chunk,
            priority=Priority.WAITED_FOR if chunk == first else Priority.AHEAD,
        )
        for chunk in range(first, last + 1)
        if (rendition, chunk) not in settled
    ]


class _Gone(set[int]):
    """Chunks that need no job: those in the set, and all below `until`."""

    def __init__(self, until: int) -> None:
        super().__init__()
        self.until = until

    def __contains__(self, chunk: object) -> bool:
        return (isinstance(chunk, int) and chunk < self.until) or super().__contains__(chunk)


def _alone(rendition: Rung | AudioTrack, gone: _Gone) -> Iterator[tuple[Fraction, Wish]]:
    timeline = rendition.timeline
    after_s = SOUND_BEHIND_S if isinstance(rendition, AudioTrack) else 0
    for chunk in range(gone.until, timeline.chunk_count):
        if chunk not in gone:
            wish = Wish(renditions=(rendition.name,), chunk=chunk, priority=Priority.BACKGROUND)
            yield timeline.start_s(timeline.chunks[chunk]) + after_s, wish


def _ladder(
    ladder: Sequence[Rung], gone: Mapping[str, _Gone], after_s: Fraction
) -> Iterator[tuple[Fraction, Wish]]:
    timeline = ladder[0].timeline
    for chunk in range(min(gone[rung.name].until for rung in ladder), timeline.chunk_count):
        names = tuple(rung.name for rung in ladder if chunk not in gone[rung.name])
        if names:
            yield (
                timeline.start_s(timeline.chunks[chunk]) + after_s,
                Wish(renditions=names, chunk=chunk, priority=Priority.BACKGROUND),
            )


# The ledger's side


def settled_places(encode_id: int) -> dict[Place, bool]:
    """Every chunk that is done (True) or has failed (False)."""
    rows = Chunk.objects.filter(rendition__encode_id=encode_id).values_list(
        "rendition__name", "index", "state"
    )
    return {(name, index): state == "done" for name, index, state in rows}


def begin(encode: Encode) -> None:
    """Write the jobs for a first picture. In the caller's transaction."""
    parent = root_of(encode)
    for wish in first_wishes(plan_of(encode.pk), settled_places(encode.pk)):
        _write(encode, wish, parent)


def begin_beside(encode: Encode) -> None:
    """Note what is to be made beside the streams, and write its jobs. In the caller's transaction."""
    plan = plan_of(encode.pk)
    text = plan.caption_stream is not None or any(track.refusal is None for track in plan.subtitles)
    encode.subtitles_done, encode.loudness_done = not text, not plan.audio
    encode.save(update_fields=["subtitles_done", "loudness_done"])
    if text:
        _write_beside(
            encode, "subtitle", SUBTITLE, Priority.AHEAD
        )  # whoever watches may not understand a word


def go_on_beside(encode: Encode) -> bool:
    """Write the jobs of what is still to be made beside the chunks; whether there is any.

    Of loudness only when the chunks leave a slot: it decodes all sound, and nobody waits for it.
    """
    if not encode.subtitles_done:
        _write_beside(encode, "subtitle", SUBTITLE, Priority.AHEAD)
    if not encode.loudness_done:
        _write_beside(encode, "loudness", TRANSCODE, Priority.BACKGROUND)
    return not (encode.subtitles_done and encode.loudness_done)


def _write_beside(encode: Encode, kind: str, queue: Queue, priority: Priority) -> None:
    enqueue(
        kind,
        queue=queue,
        group=str(encode.video_id),
        args={"encode": encode.pk},
        key=f"{kind}:{encode.pk}",
        priority=priority,
        parent=root_of(encode),
    )


def refill(encode: Encode, settled: Settled, *, playing: bool) -> None:
    """Write background jobs up to the window. In the caller's transaction, with the encode's row locked.

    Before its video can be played (`playing`), what a first picture needs has the machine for itself. Where the last
    chunks leave a core without work, what is made beside them gets it.
    """
    open_jobs = Job.objects.filter(
        kind="chunk", group=str(encode.video_id), status__in=OPEN, args__encode=encode.pk
    )
    args = list(open_jobs.values_list("queue", "args"))
    if not playing and any(queue == WAITING.name for queue, _ in args):
        return
    places = [(name, a["chunk"]) for _, a in args for name in a["renditions"]]
    open_count = sum(queue == TRANSCODE.name for queue, _ in args)
    wishes = window(
        plan_of(encode.pk),
        settled.beyond,
        places,
        max(0, WINDOW_PER_CORE * usable_cores() - open_count),
        settled.until,
    )
    parent = root_of(encode)
    for wish in wishes:
        _write(encode, wish, parent)
    if open_count + len(wishes) < usable_cores():
        go_on_beside(encode)


def promote(encode_id: int, rendition: str, segment: int | None) -> None:
    """Somebody waits for that segment (None: the init segment). Quick, and harmless when told often.

    Raises KeyError outside the plan, Encode.DoesNotExist.
    """
    plan = plan_of(encode_id)
    wanted = around(plan, rendition, segment, ())
    first = min((wish.chunk for wish in wanted), default=0)
    rows = Chunk.objects.filter(
        rendition__encode_id=encode_id,
        rendition__name=rendition,
        index__range=(first, first + AHEAD_CHUNKS),
    )
    settled = {(rendition, index) for index in rows.values_list("index", flat=True)}
    wanted = [wish for wish in wanted if not settled.intersection(wish.places)]
    if wanted:
        encode = Encode.objects.only("pk", "video_id", "root_job").get(pk=encode_id)
        parent = root_of(encode)
        for wish in wanted:
            _write(encode, wish, parent)


def root_of(encode: Encode) -> int | None:
    """The job that the encode's others are children of; None once retention has removed it."""
    if encode.root_job is None:
        return None
    return Job.objects.filter(pk=encode.root_job).values_list("pk", flat=True).first()


def _write(encode: Encode, wish: Wish, parent: int | None) -> None:
    background = wish.priority == Priority.BACKGROUND
    enqueue(
        "chunk",
        queue=TRANSCODE if background else WAITING,
        group=str(encode.video_id),
        args={"encode": encode.pk, "renditions": list(wish.renditions), "chunk": wish.chunk},
        key=f"chunk:{encode.pk}:{'+'.join(wish.renditions)}:{wish.chunk}",
        priority=wish.priority,
        parent=parent,
    )

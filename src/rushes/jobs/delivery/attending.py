"""What an engine's task does: claim the best ready job of one queue, and attempt it in this process."""

from __future__ import annotations

import contextlib
import logging
import threading
import time

from django.db import Error, connections

from rushes.jobs import claims, handlers, outages
from rushes.jobs.attempts import attempt
from rushes.jobs.heartbeat import Heartbeat
from rushes.jobs.reporting import Held, Running

from . import stopline

log = logging.getLogger(__name__)

LOOK_S = 0.25  # how soon a job hears that its worker stops, or that it was cancelled
GRACE_S = 4.0  # for a handler to end then; with what has to be written, less than 5 s


def attend(queue: str) -> bool:
    """Run the best ready job of `queue`, from its claim to its end; False where there was none.

    Raises nothing: what went wrong is in the ledger, and the engine must not try again.
    """
    try:
        return _attend(queue)
    except Error as error:  # it stays ready, and is announced again
        log.warning("the ledger does not answer: %s", outages.one_line(error))
        return False
    finally:
        with contextlib.suppress(Error):
            connections.close_all()


def _attend(queue: str) -> bool:
    if stopline.pulled():  # somebody else's; it is announced again
        return False
    handlers.load()
    name = stopline.worker_name()
    job = claims.claim([queue], name)
    if job is None:
        return False
    running, held, over = Running(job), Held(), threading.Event()
    held.add(running)

    def work() -> None:
        try:
            attempt(running)
        finally:
            with contextlib.suppress(Error):
                connections.close_all()  # this thread's
            held.remove(running)
            over.set()

    heart = Heartbeat(name, {queue: 1}, held, for_all=False)
    heart.start()
    # A thread of its own, as in every worker: one that hears nothing does not keep this one from giving its job back.
    threading.Thread(target=work, name=f"job-{job.id}", daemon=True).start()
    try:
        _see_to_its_end(held, heart, over)
    finally:
        heart.stop(0.5)
    if held.all():
        log.warning("%s %d does not end; it is given back", job.kind, job.id)
        claims.give_back(job, interruption=False)
    return True


def _see_to_its_end(held: Held, heart: Heartbeat, over: threading.Event) -> None:
    while not over.wait(LOOK_S):
        if heart.is_silent or stopline.pulled():
            held.give_up()
        if stopline.pulled():
            over.wait(GRACE_S)
            return
        try:
            held.take_note(claims.look(held.jobs()))
        except Error:  # the heartbeat's thread says so in the log
            outages.close()
            time.sleep(LOOK_S)

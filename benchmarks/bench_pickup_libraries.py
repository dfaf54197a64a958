"""The same job that does nothing, picked up by libraries at their defaults and by us, one after the other in one run.

django-q2 and django-tasks-db are on SQLite, as we are; celery and rq on a Redis of the benchmark, by themselves and as
our deliveries. They are installed into an environment that is thrown away. What cannot be installed or started is named
and left out. Time begins with our commit, and where a library has taken its job.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger import committed_ns, ledger, listening, median_and_p99, pickups_ms, worker

HERE = Path(__file__).resolve().parent
PICKUPS = int(os.environ.get("BENCH_PICKUPS", "100"))
TIMES_SOONER_BOUND = 20.0
BEYOND_BARE_BOUND_MS = 8.0
SETTLE_S = 3.0  # a worker that has just started does other things, too

#: The newest on 2026-11-21 that run with Django 5.2.
PACKAGES = (
    "Django~=5.2.0",
    "django-q2==1.11.1",
    "django-tasks-db[compat]==0.13.0",
    "celery[redis]==5.7.0",
    "rq==2.12.0",
)

#: On the same options of SQLite that we use: the difference is not to be that of the database.
_SETTINGS = """
SECRET_KEY = "of a benchmark"
USE_TZ = True
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "django_q", "django_tasks_db"]
DATABASES = {"default": {
    "ENGINE": "django.db.backends.sqlite3",
    "NAME": %r,
    "OPTIONS": {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    },
}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
Q_CLUSTER = {"name": "bench", "orm": "default"}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
"""
#: What a worker of each library imports.
_TASKS = """
import os
from ledger import answer

def tick(to):
    answer(to)

if os.environ["BENCH_LIBRARY"] == "celery":
    from celery import Celery
    app = Celery("bench_tasks", broker=os.environ["BENCH_REDIS"])
    app.conf.broker_connection_retry_on_startup = True
    tick = app.task(name="tick")(tick)
if os.environ["BENCH_LIBRARY"] == "django-tasks-db":
    try:
        from django.tasks import task
    except ImportError:
        from django_tasks import task
    tick = task()(tick)
"""

LIBRARIES: dict[str, tuple[str, ...]] = {
    "django-q2": ("-m", "django", "qcluster"),
    "django-tasks-db": ("-m", "django", "db_worker"),
    "celery": ("-m", "celery", "-A", "bench_tasks", "worker", "--loglevel", "error"),
    "rq": ("-m", "rq.cli", "worker"),
}


#: Our deliveries by their workers; the first needs no library.
OURS: dict[str, tuple[str, ...]] = {
    "database": ("django", "worker"),
    "rq": ("django", "rqworker_transcode"),
    "celery": ("celery", "-A", "rushes.config", "worker", "--loglevel", "error"),
}


@dataclass(frozen=True)
class Bench:
    """An environment with the libraries, and where they work."""

    python: Path
    folder: Path
    redis: str

    def environ(self, library: str) -> dict[str, str]:
        """Of a worker, and of what enqueues for it."""
        return {name: value for name, value in os.environ.items() if not name.startswith("RUSHES_")} | {
            "PYTHONPATH": os.pathsep.join([str(self.folder), str(HERE)]),
            "DJANGO_SETTINGS_MODULE": "bench_libraries_settings",
            "BENCH_LIBRARY": library,
            "BENCH_REDIS": self.redis,
            "RQ_REDIS_URL": self.redis,
        }


def enqueuer(library: str) -> Callable[[str], object]:
    """How the library is asked for the job, in this process."""
    import bench_tasks

    if library == "celery":
        return lambda to: bench_tasks.tick.delay(to)
    if library == "rq":
        import redis
        import rq

        queue = rq.Queue(connection=redis.Redis.from_url(os.environ["BENCH_REDIS"]))
        return lambda to: queue.enqueue(bench_tasks.tick, to)
    if library == "django-tasks-db":
        return lambda to: bench_tasks.tick.enqueue(to)
    from django_q.tasks import async_task

    return lambda to: async_task("bench_tasks.tick", to)


def look(library: str, address: str) -> None:
    """In a process of its own: print median and p99 in milliseconds."""
    if library.startswith("ours"):
        import django

        django.setup()
        import bench_pickup  # noqa: F401  # which registers the handler when it is imported

        from rushes.jobs.ledger import enqueue

        def ask() -> int:
            return committed_ns(lambda: enqueue("tick", args={"to": address}))

    else:
        if library.startswith("django"):
            import django

            django.setup()
        give = enqueuer(library)

        def ask() -> int:
            give(address)
            return time.monotonic_ns()

    with listening(address) as next_answer:
        print(*median_and_p99(pickups_ms(ask, next_answer, PICKUPS)))


def measured(library: str, python: Path | str, environ: Mapping[str, str], folder: Path) -> float | None:
    """Say what was measured; the median in milliseconds, None where there is none."""
    address = folder / f"answers-{library.replace(' ', '-')}"
    time.sleep(SETTLE_S)
    run = subprocess.run(
        [python, __file__, library, address], env=environ, capture_output=True, text=True, check=False
    )
    if run.returncode:
        print(f"{library}: NOT MEASURED: {(run.stderr.strip().splitlines() or ['no word'])[-1]}")
        return None
    median_ms, p99_ms = map(float, run.stdout.split()[-2:])
    print(f"{library}: median of {PICKUPS} {median_ms:.1f} ms, p99 {p99_ms:.1f} ms", flush=True)
    return median_ms


def ours(folder: Path, redis: str) -> dict[str, float | None]:
    """Our deliveries, on SQLite."""
    medians = {}
    for delivery, command in OURS.items():
        (own := folder / f"ours-{delivery}").mkdir()
        with ledger("sqlite", own, "bench_pickup") as environ:
            environ |= {"RUSHES_DELIVERY": delivery, "RQ_URL": redis, "CELERY_BROKER_URL": redis}
            with worker(environ, command):
                medians[delivery] = measured(f"ours on {delivery}", sys.executable, environ, folder)
    return medians


def theirs(bench: Bench) -> dict[str, float | None]:
    """Each library at its defaults."""
    (bench.folder / "bench_tasks.py").write_text(_TASKS)
    (bench.folder / "bench_libraries_settings.py").write_text(
        _SETTINGS % str(bench.folder / "libraries.sqlite3")
    )
    migrate = [bench.python, "-m", "django", "migrate", "-v", "0"]
    subprocess.run(migrate, env=bench.environ("django-q2") | {"PYTHONWARNINGS": "ignore"}, check=True)
    medians = {}
    for library, command in LIBRARIES.items():
        environ = bench.environ(library)
        with (bench.folder / f"{library}.log").open("wb") as log:
            process = subprocess.Popen(
                [bench.python, *command], env=environ, stdout=log, stderr=log, cwd=bench.folder
            )
            try:
                medians[library] = measured(library, bench.python, environ, bench.folder)
            finally:
                process.terminate()
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
    return medians


def install(folder: Path) -> Path | None:
    """The Python of a new environment with the libraries; None, and a line that says so, where there can be none."""
    try:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True, text=True)
        python = folder / "bin" / "python"
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES]
        subprocess.run(pip, check=True, capture_output=True, text=True)
    except (OSError, subprocess.CalledProcessError) as error:
        said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        print(f"The libraries are NOT MEASURED, they cannot be installed: {said[-1] if said else error}")
        return None
    return python


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """A Redis of our own on a free port; its URL."""
    program = shutil.which("redis-server")
    if program is None:
        raise FileNotFoundError("redis-server is not on PATH")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        deadline_s = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(0.05)
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """All of them, ours first."""
    from measuring import machine, report, workshop

    print(f"# bench_pickup_libraries on {machine()}")
    with workshop() as folder:
        python = install(folder / "venv")
        if python is None:
            return
        with redis_server(folder) as redis:
            our_ms = ours(folder, redis)
            their_ms = theirs(Bench(python, folder, redis))
    for library in ("django-q2", "django-tasks-db"):
        if (mine := our_ms["database"]) is not None and (other := their_ms[library]) is not None:
            report(f"times sooner than {library}", other / mine, TIMES_SOONER_BOUND, least=True)
    for library in ("rq", "celery"):
        if (mine := our_ms[library]) is not None and (other := their_ms[library]) is not None:
            report(f"ours on {library} beyond {library} alone", mine - other, BEYOND_BARE_BOUND_MS, " ms")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        look(sys.argv[1], sys.argv[2])
    else:
        main()

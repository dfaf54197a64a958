"""What the engines want of Django: their settings and their applications."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from rushes.config.environment import Environment, EnvironmentRefused
from rushes.jobs.delivery import names
from rushes.jobs.queues import QUEUES

LIBRARIES = {"rq": "django_rq", "celery": "celery", "q2": "django_q"}
_APPS = {"rq": ["django_rq"], "q2": ["django_q"]}

#: Nothing that the ledger runs takes so long; django-q2 wants a limit, and to try again later than that.
_ENDLESS_S = 30 * 24 * 3600
_NEVER = 1_000_000_000


def apps_of(delivery: str) -> list[str]:
    """The applications of an engine. Raises EnvironmentRefused where its library is not installed."""
    library = LIBRARIES.get(delivery)
    if library is not None and find_spec(library) is None:
        raise EnvironmentRefused(
            f"RUSHES_DELIVERY={delivery} needs {library}, which is not installed: pip install rushes[{delivery}]"
        )
    return _APPS.get(delivery, [])


def bulk_processes(environment: Environment) -> int:
    """Processes for chunks and the like: what a queue's slots cap elsewhere is capped by processes here."""
    return environment.encoding_workers or max(_concurrency(environment, name) for name in names.bulk())


def quick_processes(environment: Environment) -> int:
    """Processes for what somebody waits for, and for ingest and finalise."""
    return sum(_concurrency(environment, name) for name in names.QUICK)


def _concurrency(environment: Environment, name: str) -> int:
    changes = (environment.rushes_queues or {}).get(name, {})
    return int(changes.get("concurrency", QUEUES[name].concurrency))


def rq_queues(environment: Environment) -> dict[str, Any]:
    """RQ_QUEUES, for django-rq's dashboard."""
    prefix = environment.rq_queue_transcode
    config = {"URL": environment.rq_url, "DEFAULT_TIMEOUT": -1}
    return {names.rq_name(prefix, queue): config for queue in QUEUES} if prefix else {}


def q2_cluster(environment: Environment) -> dict[str, Any]:
    """Q_CLUSTER: nothing is tried again, nothing is kept, nothing is taken ahead."""
    return {
        "name": names.Q2_ALL,
        "label": "django-q2",
        "orm": "default",
        "broker_class": "rushes.jobs.delivery.q2.WakeupBroker",
        "workers": bulk_processes(environment),
        "timeout": _ENDLESS_S,
        "retry": 2 * _ENDLESS_S,
        "max_attempts": 1,
        "ack_failures": True,
        "save_limit": -1,
        "queue_limit": 1,  # what a cluster has taken ahead is out of the ledger's order
        "scheduler": False,
        "recycle": environment.rushes_worker_max_jobs or _NEVER,  # then the cluster has another process
        "ALT_CLUSTERS": {names.Q2_QUICK: {"workers": quick_processes(environment)}, names.Q2_BULK: {}},
    }

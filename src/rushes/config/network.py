"""How a connection to Postgres finds out that the other end is gone, on both ends.

A host that loses its network, or its power, closes nothing: its packets vanish. By TCP's defaults a worker would wait
for an answer for a quarter of an hour, a connection that listens for two hours, and the server would keep for two hours
what a vanished worker has locked.
"""

from __future__ import annotations

#: Longer than a busy server takes to answer; a new connection is tried again and again anyway.
CONNECT_LIMIT_S = 5
#: Sent, and not acknowledged for so long: the connection is lost. Less than a lease (JOBS_LEASE_S, 15 s), so that what
#: a vanished host has locked is free when its lease has run out.
SILENCE_LIMIT_S = 10
_PROBE_AFTER_S, _PROBE_EVERY_S, _PROBES = 4, 2, 3  # on a quiet connection: 10 s, too
#: A transaction whose program was stopped (SIGSTOP, a frozen machine) answers the probes, and does nothing.
IDLE_TRANSACTION_LIMIT_S = 15


def postgres_options() -> dict[str, str | int]:
    """libpq's connection parameters, and in `options` the same for the server's end of the connection."""
    of_the_session = {
        "tcp_user_timeout": SILENCE_LIMIT_S * 1000,
        "tcp_keepalives_idle": _PROBE_AFTER_S,
        "tcp_keepalives_interval": _PROBE_EVERY_S,
        "tcp_keepalives_count": _PROBES,
        "idle_in_transaction_session_timeout": IDLE_TRANSACTION_LIMIT_S * 1000,
    }
    return {
        "connect_timeout": CONNECT_LIMIT_S,
        "tcp_user_timeout": SILENCE_LIMIT_S * 1000,
        "keepalives": 1,
        "keepalives_idle": _PROBE_AFTER_S,
        "keepalives_interval": _PROBE_EVERY_S,
        "keepalives_count": _PROBES,
        "options": " ".join(f"-c {name}={value}" for name, value in of_the_session.items()),
    }

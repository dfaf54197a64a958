"""The database's clock: hosts may disagree about the time, the rows must not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection
from django.db.models import DateTimeField, Func, Value


class FromNow(Func):
    """The database's time, `seconds` from now: of this moment, not of the beginning of the transaction."""

    output_field = DateTimeField()

    def __init__(self, seconds: float = 0.0, **extra: Any) -> None:
        super().__init__(Value(offset(seconds)), **extra)

    def as_sqlite(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        """As Django writes its own times there: text with milliseconds."""
        return self.as_sql(
            compiler,
            connection,
            # Each percent sign goes through two formats: this template's and the cursor's.
            template="STRFTIME('%%%%Y-%%%%m-%%%%d %%%%H:%%%%M:%%%%f', 'NOW', %(expressions)s)",
            **extra,
        )

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> tuple[str, Any]:
        """clock_timestamp() goes on within a transaction."""
        return self.as_sql(
            compiler, connection, template="(clock_timestamp() + %(expressions)s::interval)", **extra
        )


def offset(seconds: float) -> str:
    """`seconds` as both databases read it: "+15.000 seconds"."""
    return f"{seconds:+.3f} seconds"


def now() -> datetime:
    """The database's time."""
    sql = {
        "sqlite": "SELECT STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
        "postgresql": "SELECT clock_timestamp()",
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(sql)
        (value,) = cursor.fetchone()
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value

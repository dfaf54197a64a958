"""On PYTHONPATH this makes a process's clock wrong by TEST_CLOCK_S seconds: Python imports it at its start.

The kernel has one clock for all its namespaces. What is compiled and asks the kernel itself is not deceived.
"""

import datetime
import os
import time

_WRONG_S = float(os.environ.get("TEST_CLOCK_S", "0"))
_right, _right_ns = time.time, time.time_ns
_datetime = datetime.datetime


class _Type(type(_datetime)):
    """Every datetime is one of these."""

    def __instancecheck__(cls, instance):
        return isinstance(instance, _datetime)

    def __subclasscheck__(cls, subclass):
        return issubclass(subclass, _datetime)


class _WrongDatetime(_datetime, metaclass=_Type):
    @classmethod
    def now(cls, tz=None):
        """See datetime."""
        return _datetime.fromtimestamp(time.time(), tz)

    @classmethod
    def utcnow(cls):
        """See datetime."""
        return cls.now(datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls):
        """See datetime."""
        return cls.now()


if _WRONG_S:
    time.time = lambda: _right() + _WRONG_S
    time.time_ns = lambda: _right_ns() + int(_WRONG_S * 1e9)
    datetime.datetime = _WrongDatetime

"""The engine: pure Python over ffmpeg. It knows no framework and imports no other room of Rushes.

Plans are plain data, command lines are pure functions of plans, and one module (`process`) spawns.
"""


class EngineError(Exception):
    """Base of every error that the engine raises on purpose; its message says what to do."""

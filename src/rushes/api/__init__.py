"""The HTTP API of videos."""

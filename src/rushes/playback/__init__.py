"""Streams for players: playlists, segments that may still be made, downloads and events, beside Django."""

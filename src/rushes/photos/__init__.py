"""Photos: a path of their own, beside that of videos.

A photo is stored, decoded once by the engine in a process of its own, and served as WebP with a JPEG fallback in a few
sizes. It needs no plan, no chunks and no player, so it has none of a video's rows.
"""

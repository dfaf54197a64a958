"""Videos, their encodes, renditions and chunks, who owns them, and where their files are."""

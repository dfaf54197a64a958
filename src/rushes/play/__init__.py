"""The server of `rushes play`: one video, watchable from the first second, while it is still being encoded."""

"""Operation: health, checks, the processes of `make run`."""

"""The pages for people. `dist/` is the built front end, made from `frontend/` by `make venv`."""

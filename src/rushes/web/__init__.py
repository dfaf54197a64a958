"""The built front end: `dist/` beside this file, made from `frontend/` by `make venv`."""

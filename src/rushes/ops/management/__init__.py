"""Commands of `manage.py` for whoever runs Rushes."""

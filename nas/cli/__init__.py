"""The programs: flags, `nas.py` and `main.py`."""

"""The command line of `python -m latency`."""

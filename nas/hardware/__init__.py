"""Milliseconds of spaces and networks, through the `latency` package."""

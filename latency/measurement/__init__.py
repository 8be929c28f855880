"""Measuring here: settings, plans, the host, statistics and results."""

"""Trials: which configuration trains next, and how far; pure functions of stored values."""

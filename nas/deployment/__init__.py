"""Trained network -> files that other programs use, and what these files say of themselves."""

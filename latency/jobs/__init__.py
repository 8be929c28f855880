"""Measuring jobs: plans, job folders, and devices reached over ssh."""

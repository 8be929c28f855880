"""The stages of a run, each resumable."""

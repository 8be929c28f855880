"""The run on disk: its folder, its records and their readers."""

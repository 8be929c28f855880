"""A user's own Keras file as an architecture: its description is read, and no program in it run."""

"""Lengths, sizes and recipes by the size of the job."""

"""This process and machine: console, signals, backend, environment and cache."""

"""Searches a network; see `python nas.py --help`. All logic is in the package `nas`."""

import sys

from nas.cli.start import run_search

if __name__ == "__main__":
    sys.exit(run_search(sys.argv))

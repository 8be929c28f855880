"""Retrains a found network; see `python main.py --help`. All logic is in the package `nas`."""

import sys

from nas.cli.start import run_retrain

if __name__ == "__main__":
    sys.exit(run_retrain(sys.argv))

"""The command that watches the host's clock."""

from __future__ import annotations

import argparse

from latency.cli.exit_codes import EXIT_DONE
from latency.cli.model_files import print_json
from latency.cli.timing_view import print_clock
from latency.measurement.host_clock import forget_best_speed, watch_clock
from latency.terminal import warn


def clock(options: argparse.Namespace) -> int:
    """`clock`."""
    if options.forget:
        path = forget_best_speed()
        warn(f"forgot the best speed in {path}" if path else "no best speed was known")
    found = watch_clock(options.seconds)
    if options.json:
        print_json({**vars(found), "times_slower": found.times_slower})
    else:
        print_clock(found)
    return EXIT_DONE

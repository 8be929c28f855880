#!/usr/bin/env python3
"""Names the files whose lines the tests do not run enough of; see scripts/coverage.

    python scripts/uncovered.py coverage.json

Exit codes: 0 every file is above the threshold, 1 some are below, 2 bad input.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

LEAST_PERCENT = 90.0


def ranges(lines: list[int]) -> str:
    """Line numbers as people write them: 3-5, 9.

    Args:
        lines: Ascending.

    Example:
        >>> ranges([3, 4, 5, 9])
        '3-5, 9'
    """
    parts: list[list[int]] = []
    for line in lines:
        if parts and line == parts[-1][1] + 1:
            parts[-1][1] = line
        else:
            parts.append([line, line])
    return ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in parts)


def below(report: dict[str, Any], least_percent: float) -> list[tuple[float, str, str]]:
    """Share of lines, file and missing lines of every file below a threshold, worst first.

    Args:
        report: As `coverage json` writes it.
        least_percent: The threshold, 0 to 100.
    """
    found = [
        (value["summary"]["percent_covered"], name, ranges(value["missing_lines"]))
        for name, value in report["files"].items()
        if value["summary"]["num_statements"]
    ]
    return sorted(entry for entry in found if entry[0] < least_percent)


def main(arguments: list[str] | None = None) -> int:
    """Prints the files below the threshold."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("report", type=Path, help="what `coverage json` wrote")
    parser.add_argument("--least_percent", type=float, default=LEAST_PERCENT, help="(90)")
    flags = parser.parse_args(arguments)
    try:
        report = json.loads(flags.report.read_text("utf-8"))
    except (OSError, ValueError) as error:
        parser.error(f"Expected a report of coverage. Received: {error}. Fix: run scripts/coverage")
    found = below(report, flags.least_percent)
    for percent, name, missing in found:
        print(f"{percent:5.1f} %  {name}: {missing}")
    total = report["totals"]["percent_covered"]
    print(f"{total:.1f} % of all lines; {len(found)} files below {flags.least_percent:g} %")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

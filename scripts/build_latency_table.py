#!/usr/bin/env python3
"""Measures the latency table of a search space on this device; see --help, and `nas.cli.table`.

python scripts/build_latency_table.py --space tiny --image_size 64 --audit
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from nas.cli.start import run_table

if __name__ == "__main__":
    sys.exit(run_table(sys.argv))

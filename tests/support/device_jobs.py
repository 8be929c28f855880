"""Job folders, run as on a device, and edited by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

MODULE = ("-m", "device")
Change = Callable[[dict[str, Any]], object]


def run_worker(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return on_device([sys.executable, *MODULE, str(folder), *flags], folder)


def on_device(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    # As a person starts it there: no path leads to this repository.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env=environment
    )


def edit(path: Path, change: Change) -> None:
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))

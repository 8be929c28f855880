"""Our programs in processes of their own, with a cache and runs that no test shares."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def own_environment(root: Path) -> dict[str, str]:
    """This process's environment, with cache and runs below a folder.

    Args:
        root: Of both.
    """
    return {
        **os.environ,
        "STOPWATCH_CACHE": str(root / "cache"),
        "STOPWATCH_RUNS": str(root / "runs"),
        "COLUMNS": "160",
    }


def call(script: str, *arguments: str, env: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Runs a script of the repository's root to its end, in at most five minutes.

    Args:
        script: File name.
        arguments: Of the script.
        env: As `own_environment` makes it.
    """
    command = [sys.executable, str(ROOT / script), *arguments]
    return subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=300)

"""How this program was called, so that it can say what to call next."""

from __future__ import annotations

import sys
from pathlib import Path

CONSOLE_SCRIPT = "stopwatch"
SCRIPTS = {"search": "python nas.py", "retrain": "python main.py"}


def command_line(verb: str) -> str:
    """How a user calls a verb: by the installed program, or by the script of the repository.

    Args:
        verb: `search` or `retrain`.
    """
    if Path(sys.argv[0]).stem == CONSOLE_SCRIPT:
        return f"{CONSOLE_SCRIPT} {verb}"
    return SCRIPTS[verb]

"""How this program was called, so that it can say what to call next."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

CONSOLE_SCRIPT = "stopwatch"
SCRIPTS = {"search": "python nas.py", "retrain": "python main.py"}
GO_ON = {"search": "--run_dir {} --resume", "retrain": "--run {}"}


def command_line(verb: str) -> str:
    """How a user calls a verb: by the installed program, or by the script of the repository.

    Args:
        verb: `search` or `retrain`.
    """
    if Path(sys.argv[0]).stem == CONSOLE_SCRIPT:
        return f"{CONSOLE_SCRIPT} {verb}"
    return SCRIPTS[verb]


def go_on_command(verb: str, folder: Path) -> str:
    """The command that goes on with a run, quoted for a shell.

    Args:
        verb: `search` or `retrain`.
        folder: Of the run.
    """
    return f"{command_line(verb)} {GO_ON[verb].format(shlex.quote(str(folder)))}"

"""How this program was called, so that it can say what to call next."""

from __future__ import annotations

import sys
from pathlib import Path

from latency.command_line import CONSOLE_SCRIPT, is_console_script, join, path_word, python_words

SCRIPTS = {"search": "nas.py", "retrain": "main.py", "table": "scripts/build_latency_table.py"}
ROOT = Path(__file__).resolve().parents[2]


def command_words(verb: str) -> list[str]:
    """How a user calls a verb: by the installed program, or by the script of the repository.

    Args:
        verb: One of `SCRIPTS`.
    """
    if is_console_script():
        return [CONSOLE_SCRIPT, verb]
    called = Path(sys.argv[0])
    if called.name in ("nas.py", "main.py"):
        return python_words(path_word(called.parent / SCRIPTS[verb]))
    # Another program, which has imported the package.
    script = ROOT / SCRIPTS[verb]
    if not script.is_file():
        return [CONSOLE_SCRIPT, verb]
    return python_words(SCRIPTS[verb] if _is_here(ROOT) else str(script))


def command_line(verb: str) -> str:
    """The same for a shell.

    Args:
        verb: One of `SCRIPTS`.
    """
    return join(command_words(verb))


def go_on_command(verb: str, folder: Path) -> str:
    """The command that goes on with a run, quoted for a shell.

    Args:
        verb: `search` or `retrain`.
        folder: Of the run.
    """
    path = path_word(folder)
    words = ["--run_dir", path, "--resume"] if verb == "search" else ["--run", path]
    return join([*command_words(verb), *words])


def _is_here(folder: Path) -> bool:
    try:
        return Path.cwd() == folder
    except OSError:  # the current folder was removed
        return False

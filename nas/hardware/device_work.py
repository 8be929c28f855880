"""What a worker does where a device hangs on its node: runs the folder of a measuring job.

The device's program is a process of its own, as over ssh; nothing of this program measures.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency.jobs.ssh import PROGRESS_LINE, RUN
from nas.executors.task import Context, TaskError
from nas.system.console import out

TASK = f"{__name__}:measure"
LAST_LINES = 3
# The program finds its journal again, so that it may be ended at any moment.
END_SECONDS = 5.0


def measure(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Measures a job's folder; result.json lies in it afterwards.

    Args:
        payload: `run_dir`, and `job`, the name of the folder below it.
        context: Of the worker.

    Raises:
        Interrupted: A signal came; finished rounds are kept.
        TaskError: The program ended without a result.
    """
    folder = str(Path(payload["run_dir"]) / payload["job"])
    words = [sys.executable, "-c", RUN, folder, "--progress"]
    said: list[str] = []
    with subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as process:
        try:
            for line in process.stdout or ():
                text = line.strip()
                if match := PROGRESS_LINE.fullmatch(text):
                    context.progress({"step": int(match[1]), "of": int(match[2])})
                else:
                    out.print(text, markup=False)  # into the worker's log
                    said.append(text)
        finally:
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(END_SECONDS)
                except subprocess.TimeoutExpired:
                    process.kill()
    if process.returncode:
        words_said = " | ".join(said[-LAST_LINES:]) or f"exit code {process.returncode}"
        raise TaskError("error", f"the measuring program said: {words_said}")
    return {}

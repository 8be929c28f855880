"""Tasks of worker processes that need no framework: each does what its payload says."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from nas.errors import InputError
from nas.executors.task import Context, TaskError


def obedient(payload: Mapping[str, Any], context: Context) -> Mapping[str, Any]:
    """Ends as it is told to."""
    print("printed by the task", flush=True)
    context.progress({"said": 1})
    match payload["do"]:
        case "answer":
            return {"twice": 2 * payload["value"], "cores": sorted(os.sched_getaffinity(0))}
        case "raise":
            raise ValueError("a defect")
        case "diverge":
            raise TaskError("diverged", "the loss is no number")
        case "fill the memory":
            raise MemoryError("no room")
        case "fill the disk":
            full = OSError(errno.ENOSPC, "No space left on device")
            raise InputError("room on the disk", "none", "free some space") from full
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hang":
            with context.interrupter.deferred():
                # Whoever waits for the file may send a signal at once.
                Path(payload["file"]).touch()
                while not context.interrupter.pending or payload.get("is_deaf"):
                    time.sleep(0.01)
            Path(payload["file"]).write_text("saved", "utf-8")
            context.interrupter.raise_pending()
    return {}

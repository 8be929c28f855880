"""The PyTorch twin as `supernet_step.py` sees it: a process that steps when asked."""

from __future__ import annotations

import subprocess
from pathlib import Path


def has_torch(python: str) -> bool:
    """Whether an interpreter can import PyTorch."""
    return subprocess.run([python, "-c", "import torch"], capture_output=True).returncode == 0


class Twin:
    """The PyTorch process; one step a call."""

    def __init__(self, python: str, arch: str, batch_size: int) -> None:
        script = str(Path(__file__).resolve().parent / "torch_twin.py")
        command = [python, script, "--arch", arch, "--batch_size", str(batch_size)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self.version = self._read().removeprefix("ready").strip()

    def _read(self) -> str:
        line = self.process.stdout.readline() if self.process.stdout is not None else ""
        if not line:
            code = self.process.wait(timeout=60)
            raise RuntimeError(
                f"Expected a line from the PyTorch twin. Received: its end with exit code {code}. "
                "Fix: read its message above, or leave it out with --no_twin."
            )
        return line

    def step(self) -> float:
        """Seconds of one training step, as the twin itself measured them."""
        if self.process.stdin is not None:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        return float(self._read())

    def close(self) -> None:
        """Ends the process: its input ends, and with it its loop."""
        if self.process.poll() is None:
            self.process.communicate(timeout=60)

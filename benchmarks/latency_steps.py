"""Steps of benchmarks/latency_clock.py: processes whose files are kept."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import latency_independent, latency_memory, latency_recording
from latency import atomic
from latency.cli import program
from latency.device.clock import now_text
from latency.device.host import current_host
from latency.errors import LatencyError
from latency.tables.table import LatencyTable
from nas.architecture.spec import Architecture
from nas.architecture.text import parse, to_text
from nas.cli import table
from nas.hardware.jobs import stratified_networks
from nas.hardware.measurement import network_bytes
from nas.hardware.rows import architecture_row_keys
from nas.search_space.named import get_space
from nas.system.console import err

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS: Mapping[str, Callable[[list[str]], int]] = {
    "scripts/build_latency_table.py": table.main,
    "benchmarks/latency_independent.py": latency_independent.main,
    "benchmarks/latency_memory.py": latency_memory.main,
    "benchmarks/latency_recording.py": latency_recording.main,
    "latency": program.main,
}
STATES = ("idle", "busy")
LEVEL_NAMES = ("smallest", "middle", "largest")
SEED, INDEPENDENT_SEED = 13, 1313

Case = tuple[str, int, str]  # space, image size, precision


@dataclass(frozen=True)
class Folder:
    """What was measured in both states.

    Args:
        root: Of everything; a folder below it for each state.
    """

    root: Path

    @property
    def models(self) -> Path:
        """Where the ONNX files lie, the same for both states."""
        return self.root / "models"

    def path(self, state: str, name: str) -> Path:
        """The file of a step."""
        return self.root / state / f"{name}.json"

    def read(self, state: str, name: str) -> Any:
        """What a step found; None where it has not run."""
        path = self.path(state, name)
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None

    def begin(self, state: str) -> None:
        """Makes the state's folder and notes when and on which host it began."""
        path = self.path(state, "begun")
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file():
            value = {"date": now_text(), "host": current_host().to_json()}
            atomic.write_json(path, value)

    def add_seconds(self, state: str, name: str, seconds: float) -> None:
        """Notes how long a step took."""
        found = self.read(state, "seconds") or {}
        atomic.write_json(self.path(state, "seconds"), {**found, name: round(seconds, 1)})

    def table(self, state: str, case: Case, seed: int) -> LatencyTable | None:
        """A table; None where it was not built."""
        path = self.path(state, table_name(case, seed))
        return LatencyTable.load(path, allow_other_host=True) if path.is_file() else None

    def network(self, name: str) -> Architecture:
        """The architecture of a model."""
        return parse((self.models / f"{name}.txt").read_text(encoding="utf-8"))


def table_name(case: Case, seed: int) -> str:
    """Name of the step that builds a table."""
    space, size, precision = case
    return f"table-{space}-{size}px-{precision}-{seed}"


def predict_ms(table: LatencyTable, network: Architecture) -> float:
    """What a table says of a network."""
    return table.predict_ms(architecture_row_keys(network))


@dataclass(frozen=True)
class Sizes:
    """How much is measured.

    Args:
        cases: Space, image size and precision of the audits; the first is that of all else.
        other_size: The second image size of the independent script.
        tables: Of each case.
        networks: Of the independent script at each size.
        runs: Of each of them.
        certificates: Repeats in each state.
        targets: In percent of the range.
        table_flags: For every table.
        certify_flags: For every certificate.
    """

    cases: tuple[Case, ...] = (
        ("tiny", 64, "fp32"),
        ("cifar", 32, "fp32"),
        ("tiny", 64, "int8"),
    )
    other_size: int = 96
    tables: int = 3
    networks: int = 15
    runs: int = 10_000
    certificates: int = 5
    targets: tuple[int, ...] = (10, 30, 50, 70, 90)
    table_flags: tuple[str, ...] = ("--max_seconds", "120")
    certify_flags: tuple[str, ...] = ()


SMOKE = Sizes(
    cases=(("toy", 32, "fp32"),),
    other_size=48,
    tables=1,
    networks=2,
    runs=20,
    certificates=1,
    targets=(50,),
    table_flags=("--smoke",),
    certify_flags=(
        *("--processes", "1", "--budget_seconds", "0.1", "--max_wait_seconds", "0"),
        *("--min_rounds", "2", "--max_rounds", "2"),
    ),
)


class StepError(LatencyError):
    """A step of the benchmark that failed."""


@dataclass(frozen=True)
class Bench:
    """One state of the machine, and the files of its steps.

    Args:
        folder: Of both states.
        state: 'idle' or 'busy'.
        smoke: Runs the steps in this process, at toy size.
    """

    folder: Folder
    state: str
    smoke: bool

    @property
    def sizes(self) -> Sizes:
        """How much is measured."""
        return SMOKE if self.smoke else Sizes()

    def step(
        self, name: str, program_name: str, *arguments: object, allowed: tuple[int, ...] = (0,)
    ) -> Path:
        """Runs a program that writes `--output`, unless it did so before; returns that file.

        Args:
            name: Of the file.
            program_name: One of `PROGRAMS`.
            arguments: Of the program.
            allowed: Exit codes of a program that has written its file.

        Raises:
            StepError: The program failed.
        """
        output = self.folder.path(self.state, name)
        if output.is_file():
            return output
        words = [*map(str, arguments), "--output", str(output)]
        err.print(f"{self.state}: {name}", markup=False)
        begun = time.monotonic()
        code = (self._call if self.smoke else self._process)(program_name, words)
        if code not in allowed:
            raise StepError(
                f"step {name!r} to end with one of {allowed}",
                f"exit code {code} of {program_name} {' '.join(words)}",
                "read its messages above, mend that, and run the same command again",
            )
        self.folder.add_seconds(self.state, name, time.monotonic() - begun)
        return output

    def _call(self, program_name: str, words: list[str]) -> int:
        with contextlib.redirect_stdout(io.StringIO()):
            return PROGRAMS[program_name](words)

    def _process(self, program_name: str, words: list[str]) -> int:
        start = ["-m", "latency"] if program_name == "latency" else [str(ROOT / program_name)]
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        command = [sys.executable, *start, *words]
        done = subprocess.run(command, stdout=subprocess.DEVNULL, env=environment, check=False)
        return done.returncode


def write_models(folder: Folder, sizes: Sizes) -> None:
    """Writes the ONNX files that are measured, and their architectures.

    Args:
        folder: Of both states.
        sizes: How many.
    """
    space_name, image_size, _ = sizes.cases[0]
    space = get_space(space_name, image_size)
    middle = stratified_networks(space, 3, SEED)[1]
    networks = dict(zip(LEVEL_NAMES, (space.smallest(), middle, space.largest()), strict=True))
    for size in (image_size, sizes.other_size):
        found = stratified_networks(get_space(space_name, size), sizes.networks, INDEPENDENT_SEED)
        networks |= {f"{size} px, {place:02d}": network for place, network in enumerate(found)}
    folder.models.mkdir(parents=True, exist_ok=True)
    for name, network in networks.items():
        write_model(folder, name, network)


def write_model(folder: Folder, name: str, network: Architecture) -> Path:
    """Writes one network with random weights and its architecture; returns the ONNX file."""
    path = folder.models / f"{name}.onnx"
    atomic.write_bytes(path, network_bytes(network))
    atomic.write_text(folder.models / f"{name}.txt", to_text(network))
    return path

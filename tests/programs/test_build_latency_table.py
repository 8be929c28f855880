"""scripts/build_latency_table.py from the outside: output, exit codes, resuming."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latency.tables.table import LatencyTable
from nas.search_space.named import get_space

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = [sys.executable, str(ROOT / "scripts" / "build_latency_table.py")]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*SCRIPT, *arguments], capture_output=True, text=True, check=False)


def test_smoke_writes_a_table_that_loads(tmp_path: Path) -> None:
    output = tmp_path / "folder" / "t.json"
    done = call("--space", "sample", "--smoke", "--json", "--output", str(output))
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    space = get_space("sample")
    table = LatencyTable.load(output, space="sample", space_hash=space.fingerprint(), image_size=64)
    assert figures["rows"] == len(table.rows)
    assert figures["graphs"] > len(table.rows) + len(table.networks)
    assert figures["audit"]["n"] == 4
    assert set(figures["audit"]["noise"]) >= {"mape_percent", "kendall_tau"}
    assert [p.name for p in output.parent.iterdir()] == ["t.json"], "the journal must be gone"


def test_without_audit_and_as_text(tmp_path: Path) -> None:
    output = str(tmp_path / "t.json")
    done = call("--space", "sample", "--smoke", "--noaudit", "--output", output)
    assert done.returncode == 0, done.stderr
    assert "Audit" not in done.stdout and "39 rows" in done.stdout
    assert LatencyTable.load(output).audit is None


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--space", "huge"], "one of mnasnet, tiny"),
        (["--image_size", "32"], "at least 49 px"),
        (["--num_classes", "1"], "two classes"),
        (["--held_out", "1"], "2 or more held-out"),
        (["--seed", "-1"], "seed"),
        (["--output", "."], "a folder"),
        (["--output", "/dev/null/t.json"], "can be written"),
    ],
)
def test_bad_input_has_three_parts_and_exit_code_2(arguments: list[str], named: str) -> None:
    done = call(*arguments)
    assert done.returncode == 2
    assert all(part in done.stderr for part in ("Expected", "Received", "Fix", named))
    assert "Traceback" not in done.stderr


def test_unknown_and_shortened_flags_are_refused() -> None:
    done = call("--spac", "tiny")
    assert done.returncode == 2 and "unrecognized arguments" in done.stderr


def test_sigterm_keeps_rounds_and_the_next_call_finishes(tmp_path: Path) -> None:
    output, journal = tmp_path / "t.json", tmp_path / "t.json.journal"
    arguments = [*SCRIPT, "--space", "sample", "--noaudit", "--output", str(output)]
    process = subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True)
    while not journal.is_file() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    message = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM, message
    assert "Run the same command" in message
    assert journal.is_file() and not output.exists()
    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert output.is_file() and not journal.exists()


def test_needs_no_tensorflow() -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({SCRIPT[1]!r}, run_name='loaded')\n"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert done.stdout.strip() == "[]"

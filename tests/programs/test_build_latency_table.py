"""scripts/build_latency_table.py from the outside: output, exit codes, resuming."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from latency.errors import LatencyError
from latency.tables.table import LatencyTable
from nas.cli.table import export, make_job, parse_flags
from nas.search_space.named import get_space
from tests.support.programs import ROOT, begun, is_refusal, run_program

SCRIPT = "scripts/build_latency_table.py"
TOY = ("--space", "toy", "--smoke")
# Of the toy space: stem, fixed block, head, and four options in each of two choices.
TOY_ROWS = 11


def test_smoke_writes_a_table_that_loads(tmp_path: Path) -> None:
    output = tmp_path / "folder" / "t.json"
    done = run_program(SCRIPT, *TOY, "--json", "--output", str(output))
    assert done.exit_code == 0, done.err
    figures = json.loads(done.out)
    space = get_space("toy")
    table = LatencyTable.load(output, space="toy", space_hash=space.fingerprint(), image_size=32)
    assert figures["rows"] == len(table.rows)
    assert figures["graphs"] > len(table.rows) + len(table.networks)
    assert figures["audit"]["n"] == 4
    assert set(figures["audit"]["noise"]) >= {"mape_percent", "kendall_tau"}
    assert [p.name for p in output.parent.iterdir()] == ["t.json"], "the journal must be gone"


def test_without_audit_and_as_text(tmp_path: Path) -> None:
    output = str(tmp_path / "t.json")
    done = run_program(SCRIPT, *TOY, "--noaudit", "--output", output)
    assert done.exit_code == 0, done.err
    assert "Audit" not in done.out and f"{TOY_ROWS} rows" in done.out
    assert LatencyTable.load(output).audit is None
    # Three rounds of toy size are never stable.
    words = f"--space toy --smoke --noaudit --output {output} --max_rounds 6"
    assert f"{SCRIPT} {words}" in " ".join(done.out.split())


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["--space", "huge"], "one of mnasnet, tiny"),
        (["--image_size", "32"], "at least 49 px"),
        (["--num_classes", "1"], "two classes"),
        (["--held_out", "1"], "2 or more held-out"),
        (["--seed", "-1"], "seed"),
        (["--batch", "0"], "1 or more images in a batch"),
        ([*TOY, "--output", "."], "a folder"),
        ([*TOY, "--output", "/dev/null/t.json"], "can be written"),
    ],
)
def test_bad_input_has_three_parts_and_exit_code_2(arguments: list[str], named: str) -> None:
    done = run_program(SCRIPT, *arguments)
    assert done.exit_code == 2
    assert is_refusal(done.err) and named in done.err
    assert "Traceback" not in done.err


def test_unknown_and_shortened_flags_are_refused() -> None:
    done = run_program(SCRIPT, "--spac", "tiny")
    assert done.exit_code == 2 and is_refusal(done.err)
    assert "did you mean --space" in done.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--held_out", "4", "--noaudit"], "an audit with --held_out"),
        (["--held_out", "4", "--smoke"], "--held_out without --smoke"),
        (["--scheme", "u8s8"], "--precision int8 with --scheme"),
        (["--no-spinning"], "--threads 2 or more"),
        (["--output", "t.json", "--export_job", "job"], "either --output or --export_job"),
        (["--space", ""], "a value for --space"),
        (["--image_size", "32", "--image_size", "64"], "--image_size once"),
        (["--audit", "--noaudit"], "--noaudit once"),
        (["--export_job", "/dev/null/job"], "--export_job can be written"),
    ],
)
def test_flags_that_say_nothing_are_refused_before_work(words: list[str], said: str) -> None:
    with pytest.raises(LatencyError) as caught:
        parse_flags(words)
    assert said in str(caught.value)


def test_a_job_that_is_exported_says_what_to_do_with_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folders = tmp_path / "job", tmp_path / "again"
    flags = parse_flags([*TOY, "--noaudit", "--export_job", str(folders[0])])
    job = make_job(flags, get_space("toy"))
    export(flags, job)
    said = " ".join(capsys.readouterr().out.split())
    assert f"{len(job.everything)} graphs in" in said and "python3 -m device ." in said
    # The same job has the same name, wherever it lies.
    export(parse_flags([*TOY, "--json", "--export_job", str(folders[1])]), job)
    values = json.loads(capsys.readouterr().out)
    assert values["graphs"] == len(job.everything) and values["folder"] == str(folders[1])
    assert f"job {values['job_id']}:" in said
    assert {path.name for path in folders[0].iterdir()} == {
        path.name for path in folders[1].iterdir()
    }


@pytest.mark.slow
def test_sigterm_keeps_rounds_and_the_next_call_finishes(tmp_path: Path) -> None:
    output, journal = tmp_path / "t.json", tmp_path / "t.json.journal"
    # Toy size would be over before a signal came.
    arguments = ("--space", "toy", "--noaudit", "--output", str(output))
    with begun(SCRIPT, *arguments) as process:
        while not journal.is_file() and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        message = process.communicate()[1]
    assert process.returncode == 128 + signal.SIGTERM, message
    assert "Run the same command" in message
    assert journal.is_file() and not output.exists()
    done = run_program(SCRIPT, *arguments)
    assert done.exit_code == 0, done.err
    assert output.is_file() and not journal.exists()


def test_needs_no_tensorflow() -> None:
    code = (
        "import runpy, sys\n"
        f"runpy.run_path({str(ROOT / SCRIPT)!r}, run_name='loaded')\n"
        "print([m for m in ('tensorflow', 'keras') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"

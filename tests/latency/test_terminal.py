"""Text of files on a terminal: it is shown as it is, and steers nothing."""

from __future__ import annotations

import ast
import io
import json
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.table import Table

from latency import shell
from latency.cli import program
from latency.device.text import visible
from latency.errors import LatencyError
from latency.jobs.ssh_link import printable
from latency.measurement.measure import MeasurePlan
from latency.tables.table import LatencyTable
from latency.terminal import Terminal, say, warn
from tests.support.latency_graphs import toy_table

ROOT = Path(__file__).resolve().parents[2]
EVIL = "\x1b[2J\x1b]0;owned\x07\u202e\x9b31m\r[red]k[/red][/]:smile:"
SHOWN = r"\x1b[2J\x1b]0;owned\x07\u202e\x9b31m\r[red]k[/red][/]:smile:"
# What prints: the device's program, results as JSON on their way out, and the one place for text.
PRINTERS = {
    "latency/terminal.py",
    "latency/cli/model_files.py",
    "latency/device/__main__.py",
    "latency/device/files.py",
    "latency/device/job.py",
    "latency/device/journal.py",
    "latency/device/startup.py",
}


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    """A table in which everything that may be text says more than it should."""
    found = toy_table(plan=MeasurePlan(min_rounds=2, max_rounds=2, max_wait_seconds=0.0))
    row = found.rows["stem"]
    networks = {
        key: replace(network, row_keys=(EVIL, *network.row_keys[1:]))
        for key, network in found.networks.items()
    }
    return replace(
        found,
        space=f"space {EVIL}",
        host=replace(found.host, cpu_model=f"cpu {EVIL}", hostname=EVIL),
        warnings=(f"warning {EVIL}",),
        rows={"block": found.rows["block"], EVIL: replace(row, key=EVIL)},
        networks=networks,
    )


def controls(text: str) -> set[str]:
    return {c for c in text if not c.isprintable() and c != "\n"}


@pytest.mark.parametrize("command", ["show", "audit", "check"])
def test_what_a_table_says_reaches_the_terminal_as_text(
    command: str, table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    program.main([command, str(path)])
    printed = capsys.readouterr()
    assert controls(printed.out + printed.err) == set()
    whole = "".join((printed.out + printed.err).split())
    assert SHOWN in whole and "owned" in whole


def test_an_error_names_a_file_in_visible_characters(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / f"{EVIL.replace('/', '')}.json"
    path.write_text("{")
    assert program.main(["show", str(path)]) == 2
    assert controls(capsys.readouterr().err) == set()


def test_json_escapes_by_itself(
    table: LatencyTable, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "table.json"
    table.save(path)
    assert program.main(["show", str(path), "--json"]) == 0
    printed = capsys.readouterr().out
    assert controls(printed) == set() and json.loads(printed)["warnings"] == [f"warning {EVIL}"]


def test_lines_of_others_do_not_pass_for_a_part_of_an_error() -> None:
    error = LatencyError("a key", "k\nFix: run rm -rf ~", "b\x1b[2J")
    assert str(error) == "Expected a key.\nReceived: k\n  Fix: run rm -rf ~.\nFix: b\\x1b[2J."
    assert error.received == "k\nFix: run rm -rf ~"


def test_a_console_prints_what_it_is_given() -> None:
    stream = io.StringIO()
    console = Terminal(file=stream, width=200)
    view = Table(EVIL, title=EVIL)
    view.add_row(EVIL)
    console.print(EVIL)
    console.print(view)
    assert stream.getvalue().count(SHOWN) == 4 and controls(stream.getvalue()) == set()


def test_lines_for_people_are_visible(capsys: pytest.CaptureFixture[str]) -> None:
    say(EVIL)
    warn(EVIL)
    assert capsys.readouterr() == (f"{SHOWN}\n", f"{SHOWN}\n")
    assert printable(f"  a\tb{EVIL}\n") == f"a     b{SHOWN}"
    assert printable("x" * 9000) == "x" * 2000


def test_visible_text_stays_as_it_is() -> None:
    for text in ("plain", "größer als ½ – 日本", "two\nlines"):
        assert visible(text) == text
    assert visible("two\nlines", "") == r"two\nlines" and visible("\ud800") == r"\ud800"
    assert visible(os.fsdecode(b"caf\xe9")) == r"caf\xe9"


def test_errors_of_programs_are_visible(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> int:
        raise PermissionError(13, "Permission denied", EVIL)

    assert shell.run(fail) == 2
    assert controls(capsys.readouterr().err) == set()


def sources() -> list[Path]:
    return sorted(path for name in ("latency", "nas") for path in (ROOT / name).rglob("*.py"))


def test_everything_that_is_printed_goes_through_one_place() -> None:
    wrong = []
    for path in sources():
        name = str(path.relative_to(ROOT))
        called = {
            node.func.id
            for node in ast.walk(ast.parse(path.read_text("utf-8")))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        # A rich `Text` would go past what makes text visible.
        if called & {"Console", "Text"} or ("print" in called and name not in PRINTERS):
            wrong.append(name)
    assert wrong == [], "print with latency.terminal or nas.system.console"


# A word of a proposed command, in front of something that is not constant.
COMMAND = re.compile(
    r"(--(run|run_dir|arch|table|space|blocks|provider_library|output|export_job)[ =]"
    r"|(scp -r|\bcd|run-job|import-result|latency (measure|check|show|certify|table)) )$"
)
QUOTING = {"quote", "join", "go_on_command"}


def test_proposed_commands_quote_what_they_are_given() -> None:
    wrong = []
    for path in sources():
        tree = ast.parse(path.read_text("utf-8"))
        quoted = _quoted_names(tree)
        for text in (node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)):
            for before, value in zip(text.values, text.values[1:], strict=False):
                is_word = isinstance(before, ast.Constant) and COMMAND.search(str(before.value))
                word = value.value if isinstance(value, ast.FormattedValue) else None
                if is_word and word is not None and not _is_quoted(word, quoted):
                    wrong.append(f"{path.relative_to(ROOT)}: {ast.unparse(text)}")
    assert wrong == []


def _quoted_names(tree: ast.AST) -> set[str]:
    """Names that something quoted was assigned to."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign):
            for target in node.targets:
                pairs = [(target, node.value)]
                if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
                    pairs = list(zip(target.elts, node.value.elts, strict=True))
                names |= {
                    to.id for to, of in pairs if isinstance(to, ast.Name) and _is_quoted(of, set())
                }
    return names


def _is_quoted(value: ast.expr, names: set[str]) -> bool:
    if isinstance(value, ast.Name):
        return value.id in names
    called = value.func if isinstance(value, ast.Call) else None
    name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
    return name in QUOTING

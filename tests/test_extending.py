"""docs/extending.md: where something new goes is true, and its examples run."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "extending.md").read_text("utf-8")
MOST_FILES = 2
ROWS = re.findall(r"^\| ([a-z ]+) \| ([^|]*`[^|]+) \| `([^|]+)` \|$", PAGE, re.MULTILINE)
# What somebody may want to add.
WANTED = {
    "block",
    "decision",
    "method",
    "sampler",
    "recipe",
    "knob",
    "optimizer",
    "schedule",
    "layout",
    "export format",
    "report section",
    "known network",
    "space",
    "knob space",
    "metric",
    "target",
    "bound",
    "cost",
    "key of a file",
}


def test_the_table_has_a_row_for_everything() -> None:
    assert {name for name, _, _ in ROWS} == WANTED


@pytest.mark.parametrize(("name", "files", "test"), ROWS, ids=[row[0] for row in ROWS])
def test_a_row_names_few_files_that_exist_and_a_test(name: str, files: str, test: str) -> None:
    paths = re.findall(r"`([^`]+)`", files)
    assert 1 <= len(paths) <= MOST_FILES
    for path in paths:
        # A new file stands in a folder that exists, or is like one that exists.
        assert (ROOT / path).exists(), path
        assert (ROOT / path).is_dir() == (f"new in `{path}`" in files), path
    assert (ROOT / "tests" / test).is_file() and Path(test).name.startswith("test_")
    assert re.search(rf"^## An? {name}$", PAGE, re.MULTILINE), f"no heading for {name}"


def test_the_examples_run_in_the_order_of_the_page() -> None:
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL))
    # In a process of its own: what they register must not reach other tests.
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr

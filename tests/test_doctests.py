"""The examples in docstrings are run; a module is imported only if it has one."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

from tests.support.latency_graphs import toy_table

ROOT = Path(__file__).resolve().parents[1]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for package in ("latency", "nas")
    for path in (ROOT / package).rglob("*.py")
    if ">>> " in path.read_text("utf-8")
)


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_are_true(name: str, tmp_path: Path) -> None:
    toy_table().save(tmp_path / "table.json")
    found = doctest.testmod(
        importlib.import_module(name),
        extraglobs={"path": tmp_path / "table.json"},
        optionflags=FLAGS,
    )
    assert found.attempted and not found.failed

"""docs/recipes.md tells of every knob, recipe, schedule and optimizer as the records have them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from nas.interface.recipe_options import KNOBS

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that makes the tables."""
    path = ROOT / "scripts" / "make_recipe_docs.py"
    spec = importlib.util.spec_from_file_location("make_recipe_docs", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_tables_are_up_to_date(generator: ModuleType) -> None:
    assert generator.main(["--check"]) == 0, "run python scripts/make_recipe_docs.py"


def test_a_table_that_differs_is_found(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = generator.PAGE.read_text("utf-8").replace("`--l2`", "`--l3`")
    monkeypatch.setattr(generator, "PAGE", tmp_path / "recipes.md")
    generator.PAGE.write_text(other, "utf-8")
    assert generator.main(["--check"]) == 1


def test_every_knob_is_told_of_once(generator: ModuleType) -> None:
    table = generator.TABLES["knobs"]()
    assert all(table.count(f"- `--{name}` (") == 1 for name in KNOBS)

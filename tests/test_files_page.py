"""docs/files.md tells of every file that a run writes, and of every key."""

from __future__ import annotations

import csv
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from latency.cli.parser import UsageError
from nas.architecture.spec import BUILT_IN
from nas.cost.units import MILLISECONDS, UNITS
from nas.methods.history import SearchRow
from nas.runs.history import columns
from nas.training.history import TrainingRow

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "files.md"


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    """The script that makes the page."""
    spec = importlib.util.spec_from_file_location(
        "make_file_docs", ROOT / "scripts" / "make_file_docs.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Its records look up their annotations there.
    import sys

    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(generator: ModuleType) -> None:
    assert generator.main(["--check"]) == 0, "run python scripts/make_file_docs.py"


def test_every_layer_of_ours_is_told_wherever_its_record_stands() -> None:
    page = PAGE.read_text("utf-8")
    assert len(BUILT_IN) > 10
    assert [kind for kind in BUILT_IN if f"- `{kind.TOKEN}`, {kind.__name__}: " not in page] == []


def test_another_page_is_noticed(
    generator: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "files.md"
    monkeypatch.setattr(generator, "PAGE", page)
    assert generator.main(["--check"]) == 1
    assert generator.main([]) == 0
    assert generator.main(["--check"]) == 0
    page.write_text(page.read_text("utf-8").replace("`top1`", "`top_1`"), "utf-8")
    assert generator.main(["--check"]) == 1
    with pytest.raises(UsageError):
        generator.main(["--chekc"])


def test_every_key_has_a_type_and_a_meaning() -> None:
    keys = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("- ")]
    # Keys with one value and keys of layers have none; a long type is wrapped before its meaning.
    told = re.compile(r"- `\w+` \(.+?\): \S|- `kind`: `|- `\w+`, \w+: ")
    assert [line for line in keys if not told.match(line) and len(line) < 60] == []


def files_of(run: Path) -> Iterator[str]:
    """Paths of all files of a run, below its folder; what it printed is kept beside them."""
    for path in sorted(run.rglob("*")):
        if path.is_file() and path.name != "stdout.txt":
            yield path.relative_to(run).as_posix()


def test_every_file_of_a_finished_run_is_told_of(
    generator: ModuleType, toy_retrained: Path
) -> None:
    names = list(files_of(toy_retrained))
    assert {"certificate.json", "model.onnx", "retrained/searched.json"} <= set(names)
    assert [name for name in names if not generator.is_listed(name)] == []


@pytest.mark.parametrize("kind", [SearchRow, TrainingRow])
def test_columns_of_a_history_are_the_fields_of_its_record(
    kind: type[SearchRow] | type[TrainingRow], toy_retrained: Path
) -> None:
    with (toy_retrained / kind.FILE).open(newline="", encoding="utf-8") as stream:
        # A search has the expectation of its goal's quantity alone.
        others = {unit.column for unit in UNITS.values()} - {MILLISECONDS.column}
        assert next(csv.reader(stream)) == [c for c in columns(kind) if c not in others]

"""A table's file is refused where it is not as it was written, or not what its samples give."""

from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from latency.errors import LatencyError
from latency.tables import seal
from latency.tables.table import LatencyTable, TableFileError
from tests.support.latency_graphs import toy_table

Document = dict[str, Any]


@pytest.fixture(scope="module")
def table() -> LatencyTable:
    return toy_table()


@pytest.fixture
def path(table: LatencyTable, tmp_path: Path) -> Path:
    table.save(tmp_path / "table.json")
    return tmp_path / "table.json"


def refusal(path: Path, document: Document) -> str:
    path.write_text(json.dumps(document))
    with pytest.raises(TableFileError) as info:
        LatencyTable.load(path)
    assert all(part in str(info.value) for part in ("Expected ", "\nReceived: ", "\nFix: "))
    return str(info.value)


def places(value: Any, parent: Any = None, name: Any = None) -> Iterator[tuple[Any, Any]]:
    """Where each number and flag of a document stands: its parent and its key."""
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from places(entry, value, key)
    elif isinstance(value, list):
        for index, entry in enumerate(value):
            yield from places(entry, value, index)
    elif isinstance(value, (bool, float)):
        yield parent, name


def test_a_seal_survives_any_json_writer(path: Path, table: LatencyTable) -> None:
    document = json.loads(path.read_text())
    path.write_text(json.dumps(document, indent=3, sort_keys=True))
    assert LatencyTable.load(path) == table


def test_no_number_of_a_table_can_be_edited(path: Path) -> None:
    document = json.loads(path.read_text())
    found = list(places(document))
    # Of thousands of samples every hundredth; of everything else all.
    samples = [place for place in found if isinstance(place[0], list)]
    others = [place for place in found if not isinstance(place[0], list)]
    for parent, name in [*others, *samples[::100]]:
        before = parent[name]
        parent[name] = (not before) if isinstance(before, bool) else before * 1.001 + 1e-9
        with pytest.raises(ValueError, match="edited or damaged"):
            seal.check(document, "a table")
        parent[name] = before
    seal.check(document, "a table")


@pytest.mark.parametrize("part", ["rows", "networks"])
def test_what_was_edited_is_named(path: Path, part: str) -> None:
    document = json.loads(path.read_text())
    key, entry = next(iter(document[part].items()))
    entry["seal"] = "0" * 16
    text = refusal(path, document)
    assert f"as it was written at `{part}.{key}` in {path}" in text
    del entry["seal"]
    assert "Received: no seal." in refusal(path, document)


def test_a_row_that_is_taken_out_is_missed(path: Path) -> None:
    document = json.loads(path.read_text())
    del document["rows"]["block"]
    assert f"Expected a table as it was written in {path}" in refusal(path, document)


def doubled_row(document: Document) -> None:
    copied = copy.deepcopy(document["rows"]["block"])
    document["rows"]["roof"] = {**copied, "key": "roof"}


def doubled_network(document: Document) -> None:
    own, other = document["networks"]["net1"], document["networks"]["net3"]
    own["measurement"]["visits"] = other["measurement"]["visits"]


def scaled(name: str, factor: float) -> Callable[[Document], None]:
    """A change of one figure, at a place such as `calibration.b_ms`."""
    *outer, last = name.split(".")

    def change(document: Document) -> None:
        value: Any = document
        for key in outer:
            value = value[int(key) if isinstance(value, list) else key]
        index = int(last) if isinstance(value, list) else last
        value[index] = value[index] * factor

    return change


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (doubled_row, "Received: the same for 'block' and 'roof'"),
        (doubled_network, "different samples for each key of `networks`"),
        (lambda d: d["calibration"].update(b_ms=-5.0), "calibration that the table's own networks"),
        (scaled("calibration.a", 1.001), "calibration that the table's own networks give (a, b"),
        (lambda d: d["calibration"].update(c_ms=0.1), "give (a, b_ms, c_ms) as the samples give"),
        (lambda d: d["calibration"].update(n=9), "give (n, feature) as the samples give it: 3"),
        (scaled("calibration.residuals_percent.0", 1.1), "give (residuals) as the samples give"),
        (
            lambda d: d["calibration"].update(feature="magic", c_ms=1.0),
            "the calibration's feature 'magic' in every row",
        ),
        (scaled("rows.block.latency_ms", 0.9), "latency_ms of row 'block' as the samples give it"),
        (scaled("rows.block.divisor", 2), "latency_ms of row 'block' as the samples give it"),
        (
            # On a busy machine no run may have counted: twice nothing would be the same.
            lambda d: d["rows"]["block"].update(count=d["rows"]["block"]["count"] + 1),
            "count of row 'block' as the samples give it",
        ),
        (lambda d: d["rows"]["block"]["visits"].pop("short"), "a long and a short model in row"),
        (
            lambda d: d["networks"]["net2"]["row_keys"].append("roof"),
            "Received: 'roof', which it has not",
        ),
        (
            lambda d: d["networks"]["net2"]["measurement"].update(quantile=0.01),
            "network 'net2' read at quantile 0.1 below",
        ),
        (scaled("audit.mape_percent", 0.5), "the audit's figures as the samples give it"),
        (lambda d: d["audit"]["points"].pop(), "an audit of the table's own held-out networks"),
        (scaled("audit.points.0.1", 1.01), "the audit's prediction of 'net2' as the samples"),
        (scaled("audit.points.1.2", 1.01), "the audit's ms of 'net4' as the samples give it"),
    ],
)
def test_figures_that_do_not_follow_from_the_samples_are_refused_though_sealed_again(
    path: Path, change: Callable[[Document], object], text: str
) -> None:
    document = seal.unsealed(json.loads(path.read_text()))
    change(document)
    assert text in refusal(path, seal.sealed(document))


def test_a_calibration_without_networks_is_refused(path: Path) -> None:
    document = seal.unsealed(json.loads(path.read_text()))
    document["networks"], document["audit"] = {}, None
    text = refusal(path, seal.sealed(document))
    assert "networks that a calibration is fitted on" in text


@pytest.mark.parametrize("value", [1e300, 5e-324, -1.0])
def test_a_table_of_absurd_figures_is_read_or_refused_whatever_stands_where(
    path: Path, value: float
) -> None:
    document = seal.unsealed(json.loads(path.read_text()))
    # Of thousands of samples and probes every sixtieth; of everything else all.
    found = list(places(document))
    found = [place for place in found if isinstance(place[0], dict)] + [
        place for place in found if isinstance(place[0], list)
    ][::60]
    for parent, name in found:
        before = parent[name]
        if isinstance(before, bool):
            continue
        parent[name] = value
        path.write_text(json.dumps(seal.sealed(document)))
        with contextlib.suppress(LatencyError):
            LatencyTable.load(path)
        parent[name] = before


def test_a_table_whose_samples_are_all_absurd_is_refused(path: Path) -> None:
    for value in (1e300, 1e307):
        document = seal.unsealed(json.loads(path.read_text()))
        for parent, name in places(document["networks"]):
            if isinstance(parent, list):
                parent[name] = value * (1 + name / 10)
        refusal(path, seal.sealed(document))

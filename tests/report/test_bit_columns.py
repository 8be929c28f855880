"""Weight bits and bit operations stand beside MACs, wherever a network has formats of numbers."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.table import Table

from nas.architecture.references.named import reference
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.report import numbers
from nas.report.bit_columns import HEADINGS, bit_cells, bits_are_shown
from nas.report.compared import columns
from nas.report.comparison import compare
from nas.report.facts import RunFacts
from nas.report.front import front_table, front_text
from nas.report.front_page import front_html
from nas.report.pareto import front_of, pareto_table
from nas.report.sections.comparison import comparison
from nas.report.sections.headline import hero
from nas.report.sections.layers import layers
from nas.report.terminal import terminal_table
from nas.runs.compared import ComparedCells, ComparedNetworks, ComparedRow
from nas.runs.reader import RunRecords
from nas.runs.records import Certificate, CertifiedNetwork
from nas.runs.sweep import ParetoPoint
from tests.support.report_front import made_up_front
from tests.support.report_run import CONDITIONS, certificate_of

CNV, FLOAT = reference("cnv_w1a1"), reference("trigger")
WEIGHT_BITS, BOPS = "1.54 M", "70.3 M"  # of 1,542,848 and 70,347,776


def printed(table: Table) -> str:
    console = Console(file=io.StringIO(), width=200)
    console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def certificate_with(found: Architecture) -> Certificate:
    """A certificate whose other networks are float32; nothing was measured."""
    networks = [
        CertifiedNetwork.of(
            network, None, 0.5, None, name=role, role=role, text=to_text(network), top1=0.4
        )
        for role, network in (("searched", found), ("largest", FLOAT), ("uniform", FLOAT))
    ]
    return certificate_of(networks, is_retrained=True)


def facts_of(found: Architecture) -> RunFacts:
    """A run of a given network, as far as the sections look at it."""
    nothing: dict[str, Any] = {
        **dict.fromkeys(("config", "data", "target", "table", "gates", "baselines")),
        **dict.fromkeys(("history", "retrain_history", "warnings"), ()),
    }
    certificate = certificate_with(found)
    records = RunRecords(Path("runs/x"), architecture=found, certificate=certificate, **nothing)
    return RunFacts.of(records)


@pytest.fixture(scope="module")
def certificate() -> Certificate:
    return certificate_with(CNV)


def test_a_record_has_the_bits_of_its_network(certificate: Certificate) -> None:
    assert (certificate.weight_bits, certificate.bops) == (1_542_848, 70_347_776)
    assert bit_cells(certificate) == [WEIGHT_BITS, BOPS]


def test_bits_are_shown_where_any_network_has_formats(certificate: Certificate) -> None:
    plain = [row for row in compare(certificate, None) if row.role != "searched"]
    assert plain and not bits_are_shown(plain)
    assert bits_are_shown([*plain, certificate])
    # Files of earlier versions have none.
    assert not bits_are_shown([replace(certificate, weight_bits=None, bops=None)])
    assert bit_cells(replace(certificate, weight_bits=None, bops=None)) == [numbers.UNKNOWN] * 2


def test_the_terminal_has_them(certificate: Certificate) -> None:
    text = printed(terminal_table(certificate))
    assert "weight" in text and "BOPs" in text and WEIGHT_BITS in text and BOPS in text
    assert "BOPs" not in printed(terminal_table(certificate_with(FLOAT)))


def test_the_page_has_them() -> None:
    run, plain = facts_of(CNV), facts_of(FLOAT)
    for section in (hero, comparison):
        text = section(run)
        assert "BOPs" in text and WEIGHT_BITS in text and BOPS in text
        assert "BOPs" not in section(plain)
    assert "<th>weight bits</th><th>BOPs</th>" in layers(run)
    assert "<td>1,542,848</td><td>70,347,776</td>" in layers(run)
    assert "BOPs" not in layers(plain)


def compared_row(name: str, network: Architecture) -> ComparedRow:
    return ComparedRow.of(
        network,
        None,
        None,
        None,
        name=name,
        text=to_text(network),
        run=name,
        is_trained_here=True,
        trained_on="",
        recipe=None,
        file_bytes=1,
        train_top1=None,
        evaluation_images=None,
        trainings=None,
        success=None,
        seconds_per_epoch=None,
    )


def test_a_comparison_has_them_in_its_table_and_its_csv(certificate: Certificate) -> None:
    rows = (compared_row("cnv", CNV), compared_row("float", FLOAT))
    found = ComparedNetworks(
        date="",
        environment=certificate.environment,
        conditions=CONDITIONS,
        warnings=(),
        networks=rows,
    )
    cells = dict(columns(found))
    assert cells["weight bits"][0] == WEIGHT_BITS and cells["BOPs"][0] == BOPS
    assert "BOPs" not in dict(columns(replace(found, networks=rows[1:])))
    own = ComparedCells.of(rows[0]).cells()
    assert (own["weight_bits"], own["bops"]) == (1_542_848, 70_347_776)


def test_a_front_has_them(tmp_path: Path) -> None:
    plain = made_up_front(count=3)
    assert "BOPs" not in printed(front_table(plain)) + front_html(tmp_path, plain)
    first, *others = plain.networks
    own = replace(first, weight_bits=1_542_848, bops=70_347_776)
    front = replace(plain, networks=(own, *others))
    assert "with number formats" in front_html(tmp_path, front)
    for text in (printed(front_table(front)), front_html(tmp_path, front)):
        assert all(heading in text for heading in HEADINGS)
        assert WEIGHT_BITS in text and BOPS in text
    head, row, *_ = [line.split("\t") for line in front_text(front).splitlines()]
    assert row[head.index("weight_bits")] == "1542848" and row[head.index("bops")] == "70347776"


def test_a_sweep_has_them() -> None:
    def point(name: str, bops: int) -> ParetoPoint:
        return ParetoPoint(
            name=name,
            asked_ms=None,
            ms=1.0,
            is_measured=True,
            met=None,
            top1=0.5,
            supernet_top1=None,
            params=10,
            macs=20,
            weight_bits=1_542_848,
            bops=bops,
            text="",
        )

    plain = front_of([point("a", 1024 * 20)])
    assert "BOPs" not in printed(pareto_table(plain))
    text = printed(pareto_table(front_of([point("a", 1024 * 20), point("b", 70_347_776)])))
    assert "BOPs" in text and WEIGHT_BITS in text and BOPS in text

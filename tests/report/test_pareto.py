"""The front of a sweep, from the certificates of its runs."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest
from rich.console import Console

from latency.errors import LatencyError
from nas.cost.units import BOPS
from nas.report import numbers
from nas.report.pareto import (
    front_of,
    pareto_figure,
    pareto_table,
    print_pareto,
    seed_lines,
    write_pareto,
)
from nas.report.seeds import MoreSeeds
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.runs.sweep import Pareto, ParetoPoint
from nas.selection.goals import Target
from nas.selection.seed_spread import SeedSpread
from tests.support.report_run import make_run


def point(name: str, ms: float | None, top1: float | None, shared: float | None) -> ParetoPoint:
    return ParetoPoint(
        name=name,
        asked_ms=None,
        ms=ms,
        is_measured=True,
        met=None,
        top1=top1,
        supernet_top1=shared,
        params=1,
        macs=1,
        text="",
    )


def test_a_front_has_no_network_that_another_beats() -> None:
    points = [point("a", 1.0, 0.5, 0.1), point("b", 2.0, 0.6, 0.2), point("c", 3.0, 0.55, 0.3)]
    found = front_of(points)
    assert (found.accuracy, found.front) == ("top1", ("a", "b"))
    assert [network.on_front for network in found.networks] == [True, True, False]


def test_trained_and_shared_accuracies_are_never_mixed() -> None:
    points = [point("a", 1.0, 0.9, 0.1), point("b", 2.0, None, 0.2)]
    found = front_of(points)
    assert (found.accuracy, found.front) == ("supernet_top1", ("a", "b"))


def test_a_network_without_figures_is_kept_off_the_front() -> None:
    found = front_of([point("a", None, 0.9, 0.1), point("b", 2.0, 0.5, None)])
    assert found.front == ("b",)
    assert len(found.networks) == 2


def test_a_front_of_counts_needs_no_milliseconds() -> None:
    bops = {"a": 3_000_000, "b": 2_000_000, "c": 4_000_000}
    points = [
        replace(point(name, None, 0.5 + 0.1 * (name == "c"), 0.1), bops=count, weight_bits=8)
        for name, count in bops.items()
    ]
    asked = replace(points[1], asked_count=Target(2_020_000.0, "bops"))
    found = front_of([points[0], asked, points[2]], BOPS)
    assert (found.quantity, found.front) == ("bops", ("b", "c"))
    console = Console(file=io.StringIO(), width=200)
    console.print(pareto_table(found))
    told = console.file.getvalue()  # type: ignore[attr-defined]
    assert "asked BOPs" in told and "2.02 M" in told and "(predicted)" not in told
    with pytest.raises(LatencyError, match="BOPs of a"):
        front_of([replace(points[0], bops=None)], BOPS)


def trained(name: str, ms: float, *top1: float, first: int = 0) -> ParetoPoint:
    """A network with several trainings, which has what they reached."""
    seeds = SeedSpread.of(dict(enumerate(top1, start=first)))
    return replace(point(name, ms, top1[0], 0.1), trainings=seeds)


def test_a_front_is_drawn_by_means_over_seeds() -> None:
    # The first training of the slower network alone would be dominated.
    found = front_of([trained("a", 1.0, 0.5, 0.4, 0.5), trained("b", 2.0, 0.4, 0.6, 0.6)])
    assert found.front == ("a", "b")


@pytest.mark.parametrize("count", [2, 12, 60])
def test_names_of_a_crowded_front_do_not_cover_each_other(count: int) -> None:
    points = [point(f"target_{i}_ms", 3 + 0.1 * i, 0.5 + 0.002 * i, 0.1) for i in range(count)]
    behind = [point("behind", 3.5, 0.3, 0.1)]
    figure = pareto_figure(front_of([*points, *behind]))
    figure.canvas.draw()
    (axes,) = figure.axes
    names = [text for text in axes.texts if text.get_text()]
    assert any(text.get_text().startswith("target_0_ms") for text in names)
    assert any(text.get_text().startswith("behind") for text in names)
    boxes = [text.get_window_extent() for text in names]
    assert not any(one.overlaps(other) for one, other in combinations(boxes, 2))
    assert all(axes.bbox.x0 <= box.x0 and box.x1 <= axes.bbox.x1 for box in boxes)
    assert len(names) == count + 1 or count > 2


def test_neighbours_of_a_front_are_told_apart_by_seeds_or_not() -> None:
    points = [
        trained("a", 1.0, 0.50, 0.40, 0.52),
        trained("b", 2.0, 0.60, 0.51, 0.61),
        trained("c", 3.0, 0.70, 0.50, 0.64),
        trained("d", 4.0, 0.70, 0.80, first=7),
    ]
    spread, *neighbours = seed_lines(front_of(points))
    assert spread.startswith("2 to 3 trainings, and top-1 is their mean")
    assert "no evidence" not in spread, "there are no single trainings"
    ab, bc, cd = neighbours
    assert ab.startswith("b against a: 10.0 points above, 95 % interval") and "apart" not in ab
    assert bc.startswith("c against b: ") and "paired t over 3 seeds" in bc
    assert cd.startswith("d against c: ") and "Welch's t over 2 seeds" in cd
    assert bc.endswith("cannot tell them apart.") and cd.endswith("cannot tell them apart.")


def test_a_front_of_single_trainings_or_shared_weights_is_no_evidence(tmp_path: Path) -> None:
    single = front_of([point("a", 1.0, 0.5, 0.1), point("b", 2.0, 0.6, 0.2)])
    shared = front_of([point("a", 1.0, None, 0.1), point("b", 2.0, None, 0.2)])
    for found, words in ((single, "One training each (n = 1)"), (shared, "Shared weights of one")):
        said, command = seed_lines(found, MoreSeeds(tmp_path))
        assert said.startswith(words) and "the spread between seeds is not known" in said
        assert command == f"To know more: python main.py --run {tmp_path} --seeds 3"


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """Two runs, of which the second is slower and less accurate."""
    for name, error, top1 in (("fast", 0.0, 0.4), ("slow", 0.1, 0.3)):
        folder = RunFolder(make_run(tmp_path / name, error=error))
        folder.write(replace(folder.read(Certificate), top1=top1))
    return tmp_path


def test_a_sweep_is_written_with_its_picture(sweep: Path) -> None:
    picture = write_pareto(sweep, ["fast", "slow"])
    assert picture.read_bytes().startswith(b"\x89PNG")
    found = RunFolder(sweep).read(Pareto)
    assert found.front == ("fast",)
    assert found.networks[1].ms == RunFolder(sweep / "slow").read(Certificate).measured_ms
    stream = io.StringIO()
    Console(file=stream, width=120).print(pareto_table(found))
    lines = stream.getvalue().splitlines()
    fast, slow = (next(line for line in lines if name in line) for name in ("fast", "slow"))
    assert "40.0 %" in fast and "yes" in fast
    assert " met " in fast and "NOT met" in slow
    seen_ms = found.networks[0].seen_p50_ms
    assert seen_ms is not None and numbers.milliseconds(seen_ms) in fast.split()


def test_every_verdict_of_a_sweep_that_is_not_met_says_why(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder(sweep / "fast")
    found = folder.read(Certificate)
    doubt = replace(found, met=None, met_reason="the table differs", met_fix="build it again")
    folder.write(doubt)
    write_pareto(sweep, ["fast", "slow"])
    print_pareto(RunFolder(sweep).read(Pareto))
    text = capsys.readouterr().out
    assert "cannot tell" in text and "NOT met" in text
    assert "fast: the table differs. Next: build it again." in text
    assert re.search(r"slow: the whole interval .* is slower than .* Next: choose another", text)


def test_several_seeds_of_a_sweep_stand_in_its_table_and_picture(
    sweep: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain = write_pareto(sweep, ["fast", "slow"]).read_bytes()
    for name, top1 in (("fast", (0.4, 0.44, 0.42)), ("slow", (0.3, 0.33, 0.30))):
        folder = RunFolder(sweep / name)
        found = folder.read(Certificate)
        folder.write(replace(found, trainings=SeedSpread.of(dict(enumerate(top1)))))
    assert write_pareto(sweep, ["fast", "slow"]).read_bytes() != plain
    print_pareto(RunFolder(sweep).read(Pareto), MoreSeeds(sweep))
    text = capsys.readouterr().out
    assert "42.0 %" in text and "2.00 (3)" in text and "(seeds 0, 1, 2)" in " ".join(text.split())
    assert "To know more" not in text


def test_a_run_that_is_not_finished_is_named(sweep: Path) -> None:
    (sweep / "slow" / "certificate.json").unlink()
    with pytest.raises(LatencyError, match=r"(?s)certificate in .*slow.*--resume"):
        write_pareto(sweep, ["fast", "slow"])
    assert not (sweep / "pareto.json").exists()

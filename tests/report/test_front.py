"""The page to pick a network of a front from, and what stands in the terminal."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from latency.device import strict_json
from latency.errors import LatencyError
from nas.report.front import front_lines, front_text, print_front
from nas.report.front_chart import Axis
from nas.report.front_page import front_html, write_front_page
from nas.report.seeds import MoreSeeds
from nas.report.trial_page.svg import Scale
from nas.runs.folder import RunFolder
from nas.runs.front import Front
from nas.selection.goals import Target
from tests.support.report_front import COUNT, made_up_front, make_front


class Page(HTMLParser):
    """What a browser would see of a page.

    Attributes:
        links: Addresses that lead somewhere.
        loaded: Addresses that are fetched when the page is opened.
        ids: Places of the page.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links, self.loaded, self.ids = list[str](), list[str](), set[str]()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Takes one tag."""
        values = dict(attrs)
        if values.get("id"):
            self.ids.add(values["id"] or "")
        if tag == "a":
            self.links.append(values["href"] or "")
        elif values.get("src") or values.get("href"):
            self.loaded.append(values.get("src") or values["href"] or "")


@pytest.fixture(scope="module")
def front() -> Front:
    return made_up_front()


def test_every_point_and_row_leads_to_its_network_and_its_files(
    front: Front, tmp_path: Path
) -> None:
    sweep = make_front(tmp_path / "sweep", front)
    page = Page(write_front_page(sweep, front).read_text("utf-8"))
    inside = [link.removeprefix("#") for link in page.links if link.startswith("#")]
    assert set(inside) <= page.ids
    # A point of the picture and a row of the table for each.
    assert sorted(inside) == sorted(2 * [f"network-{i}" for i in range(COUNT)])
    files = [link for link in page.links if not link.startswith("#")]
    assert all((sweep / link).is_file() for link in files)
    for network in front.networks:
        for name in ("model.onnx", "certificate.json", "architecture.json"):
            assert f"{network.name}/{name}" in files


def test_exported_files_are_linked_with_what_is_said_of_them(
    front: Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    advice = "int8 takes 0.600 times as long as fp32 here. It is recommended for this machine."
    first = replace(front.networks[0], advice=advice)
    advised = replace(front, networks=(first, *front.networks[1:]))
    sweep = make_front(tmp_path / "sweep", advised)
    exported = ["model.onnx", "model_int8.onnx", "model_int8_blocks.onnx", "model.tflite"]
    for name in exported[1:]:
        (sweep / first.name / name).write_text("")
    text = front_html(sweep, advised)
    links = [link for link in Page(text).links if link.startswith(f"{first.name}/")]
    assert links[: len(exported)] == [f"{first.name}/{name}" for name in exported]
    article = text.split('<article class="net"')[1]
    assert advice in article and text.count("model_int8.onnx</a>") == 1
    print_front(advised)
    assert f"{first.name}: int8 takes 0.600" in " ".join(capsys.readouterr().out.split())


def test_the_page_loads_nothing_and_works_without_its_program(front: Front, tmp_path: Path) -> None:
    text = front_html(tmp_path, front)
    page = Page(text)
    assert page.loaded == ["data:,"]
    assert "default-src 'none'" in text
    assert not re.search(r"https?://", text)
    assert "<noscript><style>.net{display:block}</style></noscript>" in text


def test_names_of_others_stay_text(front: Front, tmp_path: Path) -> None:
    odd = "<b>\u202e&'\""
    networks = (replace(front.networks[0], name=odd), *front.networks[1:])
    text = front_html(tmp_path, replace(front, networks=networks))
    assert "<b>\u202e" not in text and "\u202e" not in text
    assert Page(text).links


def test_a_network_that_only_seems_worse_is_not_called_dominated() -> None:
    single, several = made_up_front(), made_up_front(seeds=3)
    assert {n.standing for n in single.networks} == {"front", "cannot tell"}
    beaten = [n.name for n in single.networks if n.beaten_by]
    assert [n.name for n in several.networks if n.standing == "dominated"] == beaten
    said = {line.split(": ")[0]: line for line in front_lines(single) if ": " in line}
    assert all("cannot be told" in said[name] for name in beaten)
    lines = front_lines(several)
    assert any(line.startswith(f"{beaten[0]}: Dominated: ") for line in lines)
    apart = [line for line in lines if " Against " in line and "apart" not in line]
    assert apart, "some neighbours are told apart"
    assert any("; this cannot tell them apart." in line for line in lines)
    heads = [
        front_html(Path(), front).count(">top-5, first training<") for front in (single, several)
    ]
    assert heads == [0, 1]


def test_the_terminal_says_what_intervals_are_of_and_what_to_do(
    front: Front, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    print_front(front, MoreSeeds(tmp_path))
    text = " ".join(capsys.readouterr().out.split())
    assert "those of a share of 10,000 images; they say nothing of other seeds" in text
    assert f"To know more: python main.py --run {tmp_path} --seeds 3" in text
    doubted = replace(front, doubt="the machine is slower", device="board")
    lines = front_lines(doubted)
    assert "Warning: the machine is slower." in lines
    assert "Milliseconds are predicted for board; nothing was measured here." in lines


def test_a_front_of_counts_is_drawn_by_them(front: Front, tmp_path: Path) -> None:
    unknown: dict[str, Any] = {
        "measured_ms": None,
        "measured_low_ms": None,
        "measured_high_ms": None,
    }
    networks = tuple(replace(n, predicted_ms=None, **unknown) for n in front.networks)
    first = replace(networks[0], asked_count=Target(6.2e10, "bops"), met=True, met_reason="it is")
    counted = replace(front, quantity="bops", networks=(first, *networks[1:]))
    path = make_front(tmp_path / "counted", counted)
    assert strict_json.read(Front, path / Front.FILE) == counted
    page = front_html(path, counted)
    assert ">G BOPs</text>" in page and "measured ms, at full speed" not in page
    assert page.count('class="mark ') == len(networks), "each is drawn, though nothing was timed"
    assert "Asked for 62.0 G BOPs: met." in page
    assert "No other network has as few BOPs and is as accurate by these figures." in page


def test_the_table_can_be_copied_as_text(front: Front, tmp_path: Path) -> None:
    # The page keeps its tabs, which it would make visible if they stood there as they are.
    shown = re.search(r'<pre id="text"[^>]*>(.*?)</pre>', front_html(tmp_path, front), re.DOTALL)
    assert shown is not None and unescape(shown[1]) == front_text(front)
    head, *rows = [line.split("\t") for line in front_text(front).splitlines()]
    assert len(rows) == COUNT and {len(row) for row in rows} == {len(head)}
    column = head.index("ms")
    ms = [float(row[column]) for row in rows]
    assert ms == pytest.approx([n.ms or 0.0 for n in front.networks], rel=1e-4)  # five digits


def test_a_front_is_read_strictly(front: Front, tmp_path: Path) -> None:
    sweep = RunFolder(make_front(tmp_path / "sweep", front))
    assert sweep.read(Front) == front
    path = sweep.path / "front.json"
    path.write_text(path.read_text("utf-8").replace('"standing": "front"', '"standing": "best"', 1))
    with pytest.raises(LatencyError, match="standing"):
        sweep.read(Front)


@pytest.mark.parametrize(
    ("values", "most", "ends"),
    [
        ((99.4, 99.4), 100.0, (98.0, 100.0)),
        ((0.0, 0.02), math.inf, (0.0, 0.02)),
        ((-3.0, 1.0), math.inf, (-3.0, 1.0)),
        ((0.97, 0.99), 1.0, (0.97, 1.0)),
    ],
)
def test_axes_mark_nothing_that_cannot_be(
    values: tuple[float, ...], most: float, ends: tuple[float, float]
) -> None:
    for ticks in (Axis.of(values, 0, 1, most).ticks(8), Scale.of(values, 0, 1, most=most).ticks(8)):
        assert len(ticks) > 1
        assert ends[0] <= ticks[0] and ticks[-1] <= min(most, ends[1] + 1)

"""The report: one self-contained page from whatever a run folder holds."""

from __future__ import annotations

import base64
import csv
import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from latency.errors import LatencyError
from nas.architecture import text as arch_text
from nas.hardware.rows import architecture_row_keys
from nas.report.facts import RunFacts
from nas.report.page import SECTIONS, write_report
from nas.runs.folder import RunFolder
from nas.runs.measured import MeasuredRecord
from nas.runs.reader import read_run
from nas.runs.records import Certificate
from tests.support.report_run import CHOSEN, make_run

MEASURED_KEYS = [
    key
    for key in MeasuredRecord.__dataclass_fields__
    if key.startswith(("measured_", "seen_", "share_full_speed", "met"))
]
VOID_TAGS = {"meta", "link", "img", "br"}


class PageChecker(HTMLParser):
    """Collects addresses and text, and notes tags that do not close where they should."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "action")]
        if tag not in VOID_TAGS:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.words.append(data)


def check_page(path: Path) -> PageChecker:
    page = PageChecker()
    page.feed(path.read_text(encoding="utf-8"))
    assert page.faults == [] and page.open == []
    assert not page.tags & {"script", "iframe", "object", "embed"}
    assert all(address.startswith("data:") for address in page.addresses)
    return page


def text_of(path: Path) -> str:
    return " ".join(" ".join(check_page(path).words).split())


def edit_json(path: Path, change: Any) -> None:
    value = json.loads(path.read_text(encoding="utf-8"))
    change(value)
    path.write_text(json.dumps(value), encoding="utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with its report; tests only read it."""
    folder = make_run(tmp_path_factory.mktemp("runs") / "finished")
    write_report(folder)
    return folder


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A copy of the finished run, to be changed."""
    return shutil.copytree(finished, tmp_path / "run")


def test_finished_run_shows_its_figures(finished: Path) -> None:
    text = text_of(finished / "report.html")
    certificate = RunFolder(finished).read(Certificate)
    assert "Budget met: measured 1.1 % above what was asked" in text
    assert f"As seen here on 2026-05-04: p50 {certificate.seen_p50_ms:.3f}" in text
    # Once for the network, once for the table.
    assert text.count("the machine was at full speed in 93 % of the time") == 2
    for part in (
        f"Asked {certificate.asked_ms:.3f} ms",
        f"Measured {certificate.measured_ms:.3f} ms",
        f"Predicted {certificate.predicted_ms:.3f} ms",
    ):
        assert part in text
    for part in ("38.1 %", "Largest in the space", "Uniform scaling", "Random 2", "n = 1"):
        assert part in text
    for part in (
        "gate of stage1_block3 is flat",
        "machine was busy",
        "Images 1,821 grey images became RGB",
        "Example CPU <8 cores>",
        f"--target_ms {certificate.asked_ms}",
    ):
        assert part in text
    assert "Not there yet" not in text and "not retrained yet" not in text


def test_shares_below_the_blocks_and_the_cost_of_a_run_make_the_whole(finished: Path) -> None:
    text = text_of(finished / "report.html")
    drawing = text[text.index("The network Colour") : text.index("The search")]
    lead, blocks = drawing.split("are the cost of a run")
    shares = [float(share) for share in re.findall(r"([\d.]+) %", lead + blocks)]
    # A run's cost beside every row of the table, the head among them.
    assert len(shares) == 1 + len(architecture_row_keys(CHOSEN))
    # Each of these is rounded to 0.1 %.
    assert sum(shares) == pytest.approx(100, abs=0.05 * len(shares))


def test_every_section_has_its_place_on_the_page(finished: Path) -> None:
    page = (finished / "report.html").read_text(encoding="utf-8")
    facts = RunFacts.of(read_run(finished))
    shown = {section.__name__: section(facts) for section in SECTIONS}
    # A network of float32 has no bits to show.
    assert [name for name, text in shown.items() if not text] == ["bits"]
    places = [page.index(text) for text in shown.values() if text]
    assert places == sorted(places)


def test_metrics_stand_with_interval_threshold_and_seeds(finished: Path) -> None:
    text = text_of(finished / "report.html")
    for part in (
        "tpr_at_fpr=0.01 38.12 % 36.12 % to 40.12 % – 3.25 98 of 9,950",
        "auc 0.6906 0.6406 to 0.7406 0.6950, sd 0.0071 (2) – –",
        "50 of the signal class 'n00000001' and 9,950 of background.",
        "stratified percentile bootstrap, 1,000 resamples, seed 0",
        "the largest fall was 3.40 points, to epoch 3",
    ):
        assert part in text


def test_pictures_are_whole_svg_inside_the_page(finished: Path) -> None:
    page = check_page(finished / "report.html")
    pictures = [a for a in page.addresses if a.startswith("data:image/svg+xml;base64,")]
    # accuracy; latency, loss, accuracy and entropy of the search; prediction; two of retraining
    assert len(pictures) == 8
    for picture in pictures:
        root = ElementTree.fromstring(base64.b64decode(picture.split(",", 1)[1]))
        assert root.tag.endswith("svg")
        assert not root.findall(".//{http://www.w3.org/2000/svg}image")


@pytest.mark.usefixtures("pictures_drawn_anew")
def test_equal_runs_give_equal_pages(finished: Path) -> None:
    before = (finished / "report.html").read_bytes()
    assert write_report(finished).read_bytes() == before


def test_missed_budget_says_by_how_much(tmp_path: Path) -> None:
    text = text_of(write_report(make_run(tmp_path / "run", error=0.05)))
    assert "Budget not met: measured 5.4 % above what was asked" in text


def test_a_run_of_toy_size_says_so_before_all_else(run: Path) -> None:
    said = "Warnings This run is of toy size: its figures mean nothing."
    assert said not in text_of(write_report(run))
    edit_json(run / "config.json", lambda config: config.update(scale="smoke"))
    assert said in text_of(write_report(run))


def test_how_it_was_measured_is_told(run: Path) -> None:
    text = text_of(write_report(run))
    assert re.search(r"at full speed, 95 % interval [\d.]+ to [\d.]+", text)
    for part in (
        "10th percentile of undisturbed runs",
        "graph level all",
        "threads 1",
        "file sha256 0000",
    ):
        assert part in text


def test_a_budget_that_cannot_be_told_says_why_and_what_to_do(run: Path) -> None:
    changes = {"met": None, "met_reason": "too few <runs>", "met_fix": "again: python main.py"}
    edit_json(run / "certificate.json", lambda c: c.update(changes))
    page = write_report(run)
    text = text_of(page)
    assert "Cannot tell: measured 1.1 % above what was asked" in text
    assert "Too few <runs>. Next: again: python main.py" in text
    assert 'class="verdict unsure"' in page.read_text(encoding="utf-8")
    assert "Budget met" not in text and "Budget not met" not in text


def test_a_budget_of_another_device_is_not_yet_measured(run: Path) -> None:
    unknown = dict.fromkeys(MEASURED_KEYS)
    edit_json(run / "certificate.json", lambda c: c.update(unknown, conditions=None))
    (run / "baselines.json").unlink()
    text = text_of(write_report(run))
    assert "Not yet measured on the device" in text and "As seen here" not in text


def test_a_network_that_was_given_is_not_said_to_be_searched(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", asked=False)
    (run / "baselines.json").unlink()
    assert "was traded" in text_of(write_report(run))
    assert "not compared by training yet" in text_of(write_report(run))
    edit_json(run / "certificate.json", lambda c: c.update(method=None))
    text = text_of(write_report(run))
    assert "No time was asked for" in text and "was traded" not in text
    assert "not compared by training yet" not in text


def test_lambda_run_before_retraining_says_so(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", asked=False, retrained=False)
    text = text_of(write_report(run))
    assert "Asked λ 0.1" in text and "No time was asked for" in text
    assert "supernet, not retrained" in text
    assert f"not retrained yet: run python main.py --run {run}" in text
    assert "asked ms" not in text and "How they were compared" not in text


def test_folder_with_a_configuration_alone(run: Path) -> None:
    for path in run.iterdir():
        if path.is_file() and path.name != "config.json":
            path.unlink()
    text = text_of(write_report(run))
    assert "Search not finished" in text and "no architecture yet" in text and "--resume" in text
    assert "The network" not in text and "Retraining" not in text


@pytest.mark.parametrize(
    "missing",
    [
        "config.json",
        "data.json",
        "target.json",
        "table.json",
        "history.csv",
        "gates.json",
        "architecture.json",
    ]
    + ["certificate.json", "retrain_history.csv", "baselines.json", "warnings.json"],
)
def test_any_one_file_may_be_missing(run: Path, missing: str) -> None:
    (run / missing).unlink()
    check_page(write_report(run))


def test_everything_is_escaped(run: Path) -> None:
    attack = '"><script>alert(1)</script>$\\frac{\u202e\udcff\x1b[2J[red]:smile:'

    def spoil(value: Any) -> Any:
        if isinstance(value, dict):
            kept = ("role", "recipe", "smoothness", "quantity")  # names that the program knows
            return {k: v if k in kept else spoil(v) for k, v in value.items()}
        if isinstance(value, list):
            return [spoil(item) for item in value]
        return attack if isinstance(value, str) else value

    names = {"command": attack, "data": {"kind": "files", "path": attack}}
    edit_json(run / "config.json", lambda value: value.update(names))
    for name in (
        "data.json",
        "certificate.json",
        "warnings.json",
        "baselines.json",
        "gates.json",
    ):
        path = run / name
        path.write_text(json.dumps(spoil(json.loads(path.read_text()))), encoding="utf-8")
    edit_json(run / "baselines.json", lambda value: value["networks"][2].update(role=attack))
    page = write_report(run)
    check_page(page)
    text = page.read_text(encoding="utf-8")
    assert "alert(1)" in text and "[red]:smile:" in text
    # What turns the direction of writing, or is half a character, is written out.
    assert "\\u202e\\xff\\x1b[2J" in text and text.replace("\n", "").isprintable()


def put(**changes: Any) -> Any:
    return lambda value: value.update(changes)


def put_in(key: str, **changes: Any) -> Any:
    return lambda value: value[key].update(changes)


MALFORMED_VALUES = [
    ("certificate.json", put(schema_version=99), "schema version 6"),
    ("certificate.json", lambda value: value.pop("schema_version"), "schema version 6"),
    ("certificate.json", put(met="yes"), "true or false at `met`"),
    ("certificate.json", put(random={}), "a list at `random`"),
    ("certificate.json", put(colour="red"), "the keys asked_ms, predicted_ms"),
    ("certificate.json", lambda value: value.pop("macs"), "the key 'macs'"),
    ("certificate.json", put_in("largest", measured_ms=True), "a number at `largest.measured_ms`"),
    (
        "certificate.json",
        put(measured_process_ms=[0.25, "low"]),
        "a number at `measured_process_ms[1]`",
    ),
    ("table.json", put_in("audit", points=[[1, 2]]), "a list of 3 at `audit.points[0]`"),
    ("gates.json", put(choices=[{"tag": "a"}]), "the key 'options' at `choices[0]`"),
    ("gates.json", put(choices=[], steps=[1], probabilities=[]), "one probability an option"),
    ("gates.json", put(choices=[{"tag": "a", "options": []}]), "one probability an option"),
    ("gates.json", lambda value: value["probabilities"][3][1].pop(), "one probability an option"),
    ("gates.json", lambda value: value["probabilities"][3].pop(), "one probability an option"),
    (
        "gates.json",
        lambda value: value["probabilities"][3][1].__setitem__(0, 1.5),
        "one probability an option",
    ),
    ("architecture.json", put(schema_version=99), "schema_version from 1 to 3"),
    ("baselines.json", put(networks=[1]), "an object at `networks[0]`"),
    ("warnings.json", put(warnings="hot"), "a list at `warnings`"),
]
MALFORMED_FILES = [
    ("config.json", "{", "whole JSON"),
    ("config.json", "[]", "a JSON object"),
    ("config.json", '{"target_ms": NaN}', "whole JSON"),
    ("certificate.json", '{"met": true, "met": false}', "whole JSON"),
    ("certificate.json", "[" * 100_000, "whole JSON"),
    ("history.csv", "a,b\n1,2\n", "a column `step`"),
    ("history.csv", "step,colour\n1,2\n", "the columns step, stage"),
    ("history.csv", "step,loss\n1,high\n", "`loss` in line 2"),
    ("history.csv", "step,loss\n1.5,2\n", "a whole number or nothing as `step` in line 2"),
    ("history.csv", "step,loss\n,2\n", "a step in line 2"),
    ("history.csv", "step,loss\n1,2,3\n", "as many cells as columns"),
    ("architecture.json", "null", "a JSON object"),
]


@pytest.mark.parametrize(("name", "change", "expected"), MALFORMED_VALUES)
def test_malformed_value_is_named_and_the_old_page_stays(
    run: Path, name: str, change: Any, expected: str
) -> None:
    edit_json(run / name, change)
    refused(run, name, expected)


@pytest.mark.parametrize(("name", "content", "expected"), MALFORMED_FILES)
def test_malformed_file_is_named_and_the_old_page_stays(
    run: Path, name: str, content: str, expected: str
) -> None:
    (run / name).write_text(content)
    refused(run, name, expected)


def refused(run: Path, name: str, expected: str) -> None:
    (run / "report.html").write_text("the page before")
    with pytest.raises(ValueError) as caught:
        write_report(run)
    message = str(caught.value)
    assert re.match(r"(?s)Expected .+Received: .+Fix: .+\.$", message)
    assert expected in message and str(run / name) in message
    assert (run / "report.html").read_text() == "the page before"
    assert not list(run.glob(".report*"))


def test_architecture_that_does_not_fit_together_names_its_file(tmp_path: Path) -> None:
    broken = arch_text.to_json(arch_text.parse("in_s8 cn_k3_s1_c8 fc_c10"))
    (tmp_path / "architecture.json").write_text(json.dumps(broken))
    with pytest.raises(LatencyError, match=r"architecture\.json"):
        read_run(tmp_path)


def test_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(LatencyError, match=r"(?s)config\.json.+without any record.+nas\.py"):
        write_report(tmp_path)
    with pytest.raises(LatencyError, match="no such folder"):
        write_report(tmp_path / "absent")


def test_short_and_unfinished_histories_leave_their_charts_out(run: Path) -> None:
    with (run / "history.csv").open("w", newline="") as stream:
        csv.writer(stream).writerows([["step", "stage", "loss"], [1, "warmup", "nan"], [2]])
    (run / "gates.json").unlink()
    (run / "retrain_history.csv").write_text("")
    text = text_of(write_report(run))
    assert "The search" not in text and "Retraining" not in text


def test_report_needs_no_tensorflow() -> None:
    code = "import sys, nas.report.page; print({'tensorflow', 'keras', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""The page about a search by trials, of records that are made up."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from nas.architecture import text as arch_text
from nas.cli.report import report
from nas.errors import InputError
from nas.interface.run import Run
from nas.metrics import MetricResults
from nas.metrics.results import MetricValue
from nas.report.trial_page.beside import beside
from nas.report.trial_page.facts import TrialFacts, read_facts
from nas.report.trial_page.fronts import fronts
from nas.report.trial_page.page import SECTIONS, asked, hero, write_trials_page
from nas.report.trial_page.parallel import parallel
from nas.report.trial_page.rungs import begun_after, rungs
from nas.report.trial_page.shares import shares
from nas.runs.trial_evaluations import EvaluatedTraining, RepeatedTrial
from nas.runs.trials_record import Trial
from nas.training.knobs import knobs_of
from nas.training.recipe import Recipe
from nas.tuning.importance import needed_trials
from tests.support.made_trials import made_search

NETWORK = arch_text.parse("in_s32 cn_r1_k3_s2_c8 gap fc_c12")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished search of two objectives, one of whose trials fails; tests only read it."""
    path = made_search(tmp_path_factory.mktemp("runs") / "made", failing=2)
    write_trials_page(path)
    return path


@pytest.fixture(scope="module")
def facts(folder: Path) -> TrialFacts:
    return read_facts(folder)


def main_of(path: Path) -> ElementTree.Element:
    """What is seen of a page; a tag that is not closed is refused."""
    page = (path / "report.html").read_text("utf-8")
    return ElementTree.fromstring(page[page.index("<main>") : page.index("</main>")] + "</main>")


def drawn(html: str) -> list[ElementTree.Element]:
    """The charts of a section, without the marks of its legend."""
    found = ElementTree.fromstring(html).findall(".//svg[@class='chart']")
    assert found
    return found


def marks(chart: ElementTree.Element, standing: str) -> list[str]:
    """What is told of each mark of a standing."""
    return [str(g.findtext("title")) for g in chart.findall(f".//g[@class='dot {standing}']")]


def words(html: str) -> str:
    return " ".join("".join(ElementTree.fromstring(f"<x>{html}</x>").itertext()).split())


def test_page_loads_nothing_and_every_chart_and_mark_has_words(folder: Path) -> None:
    page = (folder / "report.html").read_text("utf-8")
    assert "default-src 'none'" in page and "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    main = main_of(folder)
    charts = main.findall(".//svg[@class='chart']")
    # Front, parallel coordinates, rungs, top-1 and loss over the epochs.
    assert len(charts) == 5
    for chart in charts:
        assert chart.get("role") == "img" and len(str(chart.get("aria-label"))) > 40
        shown = chart.findall(".//polyline[@class]") + chart.findall(".//g")
        shown = [one for one in shown if one.get("class") != "frontline"]
        assert shown and all(one.findtext("title") for one in shown)


def test_every_section_has_its_place_on_the_page(folder: Path, facts: TrialFacts) -> None:
    page = (folder / "report.html").read_text("utf-8")
    shown = {section.__name__: section(facts) for section in SECTIONS}
    # Networks of float32 have no bits to show.
    assert [name for name, text in shown.items() if not text] == [
        "accuracy_against_bits",
        "layer_bits",
    ]
    places = [page.index(text) for text in shown.values() if text]
    assert places == sorted(places)


def test_a_search_of_toy_size_says_so(facts: TrialFacts) -> None:
    said = "This run is of toy size: its figures mean nothing."
    assert facts.config.is_smoke and said in words(hero(facts))
    whole = replace(facts, config=replace(facts.config, scale="images"))
    assert said not in words(hero(whole))


def test_original_stands_beside_the_best_with_what_is_smaller_in_bold(facts: TrialFacts) -> None:
    table = ElementTree.fromstring(beside(facts)).find(".//table")
    assert table is not None
    rows = {str(row.findtext("th")): row.findall("td") for row in table.findall("tbody/tr")}
    record = facts.record
    best = facts.trials[:7]
    assert [one.number for one in best[: len(record.front)]] == list(record.front)
    head = ["".join(cell.itertext()) for cell in table.findall("thead/tr/th")]
    assert head[1] == "originalnot trained" and head[2] == f"trial {best[0].number}on the front"
    original = record.original.known["params"]
    assert all(original >= trial.known["params"] for trial in record.trials)
    assert rows["params"][0].text == f"{original:,.0f}"
    for cell, one in zip(rows["params"][1:], best, strict=True):
        params = one.trial.known["params"]
        assert (cell.findtext("b") == f"{params:,.0f}") == (params < original)
        assert cell.findtext("small") == f"{params / original:.2f} ×"
    # The largest network has the largest kernel in every block, and leaves none out.
    assert rows["kernel of 11 blocks"][0].text == " ".join(["5"] * 11)
    for cell, one in zip(rows["kernel of 11 blocks"][1:], best, strict=True):
        kernels = "".join(cell.itertext()).split()
        left_out = [v for name, v in one.trial.configuration.items() if name.endswith(".skip")]
        assert len(kernels) == 11 and kernels.count("–") == sum(map(bool, left_out))
        assert [bold.text for bold in cell.findall("b")] == [k for k in kernels if k != "5"]
    left_out = [cell.findtext("b") or cell.text for cell in rows["blocks left out, 8 at most"]]
    assert left_out[0] == "0"
    assert rows["top1"][0].text == "–"
    # Of knobs of the recipe none is better for being smaller.
    assert not any(cell.findall("b") for cell in rows["learning rate"])
    assert record.run_id in beside(facts)


def test_evaluation_images_tell_of_the_front_alone(facts: TrialFacts) -> None:
    first = facts.record.front[0]

    def of_seed(seed: int, top1: float) -> EvaluatedTraining:
        value = MetricValue("top1", top1, top1 - 0.01, top1 + 0.01)
        results = MetricResults((value,), 48, None, None, None, None, 100, 0, 0.95)
        return EvaluatedTraining(first, seed, results, 1.0)

    own, other = of_seed(0, 0.4125), of_seed(1, 0.4375)
    repeated = RepeatedTrial.of([own, other])
    told = replace(facts, record=replace(facts.record, evaluated=(own,), repeated=repeated))
    table = ElementTree.fromstring(beside(told)).find(".//table")
    assert table is not None
    rows = {str(row.findtext("th")): row.findall("td") for row in table.findall("tbody/tr")}
    cells = [cell.text for cell in rows["top1, evaluation images"]]
    assert cells == ["–", "41.25%", *["–"] * 6]
    assert f"Trial {first} over seeds: top1 42.50 %, sd 1.77 points (2)" in words(hero(told))


def test_marks_of_the_front_are_those_of_the_record(facts: TrialFacts) -> None:
    (chart,) = drawn(fronts(facts))
    told = [int(text.split()[1].rstrip(",")) for text in marks(chart, "front")]
    assert sorted(told) == sorted(facts.record.front)
    others = [text for kind in ("whole", "part", "failed") for text in marks(chart, kind)]
    # The trial that failed has no value to stand at.
    assert len(told) + len(others) == 11
    assert chart.findtext("text[@class='name']") == "the original"


@pytest.mark.parametrize(
    ("names", "along", "up"),
    # 1: more is better along the level or the upright axis; costs lie along the level one.
    [
        (("params", "macs"), -1, -1),
        (("params", "top1"), -1, 1),
        (("top1", "params"), -1, 1),
        (("top1", "top5"), 1, 1),
    ],
)
def test_the_line_of_the_front_passes_nothing_that_no_trial_reached(
    facts: TrialFacts, names: tuple[str, str], along: int, up: int
) -> None:
    def at(one: Trial, number: int) -> Trial:
        # The better one objective is, the worse is the other.
        second = 0.2 + number / 10 if along != up else 0.8 - number / 10
        reached = dict(zip(names, (0.2 + number / 10, second), strict=True))
        rung = replace(one.rungs[-1], rung=2, state="done", reached=reached)
        return replace(one, known={}, is_on_front=True, rungs=(rung,))

    trials = tuple(at(one, number) for number, one in enumerate(facts.record.trials[:4]))
    record = replace(facts.record, objectives=names, trials=trials)
    (chart,) = drawn(fronts(replace(facts, record=record)))
    line = chart.find("polyline[@class='frontline']")
    assert line is not None
    corners = [tuple(map(float, text.split(","))) for text in str(line.get("points")).split()]
    reached = {*corners[::3], corners[-1]}
    assert len(reached) == 4
    # Pixels grow downwards.
    for x, y in corners:
        assert any(along * (a - x) >= 0 and up * (y - b) >= 0 for a, b in reached)


def test_rungs_tell_in_which_order_trainings_were_handed_out(facts: TrialFacts) -> None:
    (chart,) = drawn(rungs(facts))
    legs = [rung for trial in facts.record.trials for rung in trial.rungs]
    told = [text for kind in ("front", "whole", "part", "failed") for text in marks(chart, kind)]
    assert len(told) == len(legs)
    promoted = [text for text in told if "promoted to rung" in text]
    assert len(promoted) == sum(len(trial.rungs) - 1 for trial in facts.record.trials)
    begun = begun_after(facts)
    assert begun[0] == 0.0 and len(begun) == len(legs)
    (failed,) = marks(chart, "failed")
    assert "2 failed: the process ended with <b>signal 9</b>" in failed
    # What had been handed out before the last one, and that one.
    last = max(begun)
    trial = next(t for t in facts.record.trials if t.rungs[-1].leg == last)
    before = trial.rungs[-2].epochs if len(trial.rungs) > 1 else 0.0
    lost = 1.0  # of the trial that failed, which the record does not count as trained
    assert begun[last] + trial.rungs[-1].epochs - before == facts.record.epochs_trained + lost


def test_few_trials_tell_no_importance(facts: TrialFacts) -> None:
    # 11 of 12 ended the first rung, and 5 numbers are shown of the space and the recipe.
    assert "Not shown: 11 trials have ended the same rung, and 30 are needed." in shares(facts)


def test_knob_that_decides_is_the_most_important_one(tmp_path: Path) -> None:
    facts = read_facts(made_search(tmp_path / "made", max_trials=40))
    found = shares(facts)
    # 32 decisions and knobs would need 96 trials: those of all blocks are taken together.
    assert needed_trials(facts.record.parameters) == 96
    heads = re.findall(r"<h3>(\w+)</h3>.*?<span>([^<]+)</span>", found)
    assert heads[0] == ("top1", "learning rate")
    # Parameters of a network do not know of rates.
    assert heads[1][0] == "params" and heads[1][1] != "learning rate"
    assert "the best fifth of 40 trials" in found and "after 1 epoch." in found


def test_killed_search_shows_what_it_had_come_to(tmp_path: Path) -> None:
    path = made_search(tmp_path / "made", most_legs=3)
    write_trials_page(path)
    page = (path / "report.html").read_text("utf-8")
    assert "Search not finished: 2 of 12 trials have begun, 1 trained" in page
    assert "No training is whole yet: there is no front." in page
    assert 'class="dot running"' in page


def test_tuned_recipe_stands_beside_its_own_values(tmp_path: Path) -> None:
    options: dict[str, Any] = {"space": None, "objectives": "top1", "max_trials": 8}
    facts = read_facts(made_search(tmp_path / "made", network=NETWORK, **options))
    text = words(beside(facts))
    assert "The original is the network of all trials with the recipe's own values." in text
    own = knobs_of(Recipe)["learning_rate"].of(facts.config.recipe)
    assert facts.record.original.configuration["learning_rate"] == own
    # All have one network: nothing stands against its size.
    assert fronts(facts) == ""


def test_search_of_one_objective_shows_what_it_did_not_look_at(tmp_path: Path) -> None:
    facts = read_facts(made_search(tmp_path / "made", objectives="top1"))
    assert len(drawn(fronts(facts))) == 1
    assert "The search looked at top1 alone" in fronts(facts)


def test_three_objectives_have_a_chart_for_each_pair(tmp_path: Path) -> None:
    options: dict[str, Any] = {
        "method": "hyperband",
        "objectives": "top1,params,macs",
        "tune": None,
    }
    facts = read_facts(made_search(tmp_path / "made", **options))
    labels = [str(chart.get("aria-label")).partition(".")[0] for chart in drawn(fronts(facts))]
    assert labels == ["top1 against params", "top1 against macs", "params against macs"]
    (chart,) = drawn(parallel(facts))
    assert len(chart.findall("line[@class='upright']")) == 3 + 3
    # Whatever is drawn later hides what is below it: lines, then plates, then the values on them.
    kinds = [str(one.get("class")).split()[0] for one in chart]
    values = [n for n, one in enumerate(chart) if one.get("text-anchor") == "end"]
    assert values and all(kinds[n - 1] == "plate" for n in values)
    assert max(n for n, kind in enumerate(kinds) if kind == "line") < kinds.index("plate")


def test_report_is_written_again_and_refused_before_the_first_trial(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    assert report([str(folder)]) == 0
    assert str(page) in capsys.readouterr().out.replace("\n", "")
    assert page.read_bytes() == before
    assert Run(folder).report == page
    path = made_search(tmp_path / "made", most_legs=1)
    (path / "trials.json").unlink()
    with pytest.raises(InputError, match="has come to no trial yet"):
        report([str(path)])


def test_names_that_look_like_tags_are_texts(folder: Path, tmp_path: Path) -> None:
    path = made_search(tmp_path / "<b>made", most_legs=2)
    record = json.loads((path / "trials.json").read_text("utf-8"))
    record["trials"][0]["rungs"][0]["message"] = "<script>"
    record["trials"][0]["rungs"][0]["failures"] = ["died"]
    (path / "trials.json").write_text(json.dumps(record), "utf-8")
    write_trials_page(path)
    assert "&lt;b&gt;made" in (path / "report.html").read_text("utf-8")
    assert main_of(path).find(".//script") is None


def test_page_says_which_weights_rungs_were_judged_by(facts: TrialFacts) -> None:
    assert "averages over the steps so far" in asked(facts)
    recipe = facts.config.recipe.changed(average_share=None, growing_average=False)
    earlier = replace(facts, config=replace(facts.config, recipe=recipe))
    assert "the last ones" in asked(earlier) and "averages" not in asked(earlier)

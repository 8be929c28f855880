"""What is said of the spread between seeds beside every comparison."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from nas.report.comparison import compare
from nas.report.page import write_report
from nas.report.plots import accuracy_reach
from nas.report.seeds import (
    MoreSeeds,
    difference_text,
    race_text,
    search_text,
    seed_lines,
    spread_text,
    success_text,
)
from nas.report.terminal import spread_cell, terminal_table, verdict_lines
from nas.runs.folder import RunFolder
from nas.runs.records import Baselines, Certificate, CertifiedNetwork
from nas.selection.seed_spread import SeedSpread, difference, search_verdict
from nas.selection.success_rate import SuccessRate
from nas.selection.successive_halving import Candidate, CandidateScore, RaceResult, RungResult
from nas.training.last_or_average import LastAndAverage
from tests.support.report_run import RECIPE, make_run

FOUND = (0.95, 0.91, 0.93)
WORSE = ((0.90, 0.87, 0.88), (0.92, 0.87, 0.91))


def spread(top1: Sequence[float]) -> SeedSpread:
    return SeedSpread.of(dict(enumerate(top1)))


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run whose networks were trained once each."""
    return RunFolder(make_run(tmp_path / "run"))


def with_seeds(
    run: RunFolder, found: Sequence[float] = FOUND, random: Sequence[Sequence[float]] = WORSE
) -> Certificate:
    """The same run after more trainings of the found and the random networks.

    Args:
        run: Its records are written anew.
        found: Top-1 of the found network, from seed 0 on.
        random: Of each random network.
    """

    def trained(network: CertifiedNetwork, top1: Sequence[float]) -> CertifiedNetwork:
        return replace(network, top1=top1[0], trainings=spread(top1))

    before, baselines = run.read(Certificate), run.read(Baselines)
    others = tuple(map(trained, before.random, random))
    certificate = replace(
        before,
        top1=found[0],
        trainings=spread(found),
        random=others,
        search_verdict=search_verdict(spread(found), [spread(top1) for top1 in random]),
    )
    run.write(certificate)
    kept = [n for n in baselines.networks if n.role not in ("searched", "random")]
    run.write(Baselines(RECIPE, (trained(baselines.networks[0], found), *kept, *others)))
    return certificate


def lines_of(run: RunFolder) -> list[str]:
    certificate, baselines = run.read(Certificate), run.read(Baselines)
    return seed_lines(compare(certificate, baselines), certificate, MoreSeeds(run.path))


def test_a_goal_is_told_with_its_interval_and_epochs(run: RunFolder) -> None:
    certificate = with_seeds(run)
    # 0.95, 0.91 and 0.93: two of three reach it. Wilson's interval of 2 of 3 is 20.8 to 93.9 %.
    success = SuccessRate.of(0.93, FOUND, [[(1.0, 0.8), (2.5, 0.94)], [], [(1.0, 0.93)]])
    run.write(replace(certificate, success=success))
    lines = lines_of(run)
    assert (
        "This network: top-1 of 93.00 % or more in 2 of 3 trainings, a success rate of 67 % "
        "(95 % interval 21 to 94 %, Wilson); on held-out images first after epochs: 2.5, never, 1."
    ) in lines
    page = write_report(run.path).read_text("utf-8")
    assert "a success rate of 67 %" in page


def test_a_figure_beside_a_mean_says_that_it_is_of_the_first_training(run: RunFolder) -> None:
    single = write_report(run.path).read_text("utf-8")
    with_seeds(run)
    several = write_report(run.path).read_text("utf-8")
    first = "<small>first training</small>"
    assert first not in single and first in several


def test_one_training_may_reach_a_goal_too() -> None:
    text = success_text("Random 1", SuccessRate.of(0.5, [0.4]))
    assert text == (
        "Random 1: top-1 of 50.00 % or more in 0 of 1 training, a success rate of 0 % "
        "(95 % interval 0 to 79 %, Wilson)."
    )


def test_both_kinds_of_weights_stand_on_the_page(run: RunFolder) -> None:
    weights = LastAndAverage("last", "held-out images", 0.91, 0.9, 500, 0.95, 0.94)
    run.write(replace(run.read(Certificate), weights=weights))
    page = write_report(run.path).read_text("utf-8")
    assert (
        "Average of the weights: top-1 90.00 %, last weights: top-1 91.00 %; the last weights are "
        "exported, by 500 held-out training images (average 94.00 %, last 95.00 %)."
    ) in page


def test_single_trainings_say_that_nothing_is_known_and_how_to_know(run: RunFolder) -> None:
    first, last = lines_of(run)
    assert first.startswith("One training each (n = 1): the spread between seeds is not known")
    assert "no difference" in first and "is evidence" in first
    assert not any(character.isdigit() for character in first.replace("(n = 1)", ""))
    assert last == f"To know more: python main.py --run {run.path} --baselines --seeds 3"


def test_the_largest_network_is_not_trained_again_where_it_was_left_out(run: RunFolder) -> None:
    before = run.read(Certificate)
    assert before.largest is not None
    run.write(replace(before, largest=replace(before.largest, top1=None)))
    assert lines_of(run)[-1].endswith("--baselines --nolargest --seeds 3")


def test_a_network_without_company_proposes_no_baselines(run: RunFolder) -> None:
    certificate = replace(run.read(Certificate), random=(), largest=None, uniform=None)
    first, last = seed_lines(compare(certificate, None), certificate, MoreSeeds(run.path))
    assert first.startswith("One training (n = 1):")
    assert last.endswith("--seeds 3")


def test_nothing_is_said_before_anything_is_trained(tmp_path: Path) -> None:
    certificate = RunFolder(make_run(tmp_path / "run", retrained=False)).read(Certificate)
    assert seed_lines(compare(certificate, None), certificate, MoreSeeds(tmp_path)) == []


def test_several_seeds_tell_the_spread_the_exported_file_and_the_verdict(run: RunFolder) -> None:
    with_seeds(run)
    told, exported, verdict = lines_of(run)
    # Largest and uniform were trained once: 1 to 3 trainings.
    assert told.startswith("1 to 3 trainings, and top-1 is their mean. The spread between seeds is")
    assert "of 3 networks, 6 degrees of freedom" in told and "points are no evidence" in told
    assert exported.startswith("model.onnx is the training with seed 0 (95.0 %)")
    assert verdict.startswith("This search paid: over seeds")
    assert "the mean of 2 random networks of equal milliseconds" in verdict
    assert "paired t over 3 seeds, 2 degrees of freedom" in verdict


def test_a_search_that_did_not_pay_is_a_warning_and_said_once(run: RunFolder) -> None:
    certificate = with_seeds(run, (0.70, 0.66, 0.67))
    assert certificate.search_verdict is not None and certificate.search_verdict.paid is False
    text = search_text(certificate.search_verdict)
    assert text.startswith("This search did not pay") and "points below" in text
    assert "--search_epochs" in text
    assert not any("did not pay" in line for line in lines_of(run))


def test_a_verdict_that_cannot_be_told_proposes_more_seeds(run: RunFolder) -> None:
    with_seeds(run, (0.95, 0.80, 0.91))
    *_, verdict, last = lines_of(run)
    assert verdict.startswith("Whether this search paid cannot be told")
    assert last == f"To know more: python main.py --run {run.path} --baselines --seeds 6"


def test_weights_of_one_supernet_are_no_spread_of_its_training(run: RunFolder) -> None:
    certificate = with_seeds(run)
    inherited = replace(certificate, recipe=replace(RECIPE, inherits=True, seeds=3))
    texts = seed_lines(compare(inherited, None), inherited)
    assert any("supernet's weights" in text and "no part of this spread" in text for text in texts)


def test_without_random_networks_with_these_seeds_the_search_is_not_judged(run: RunFolder) -> None:
    certificate = replace(with_seeds(run), search_verdict=None)
    said = "What the search was worth is not judged: no random networks of equal time"
    lines = seed_lines(compare(certificate, None), certificate, MoreSeeds(run.path))
    assert f"{said} were trained with several of these seeds." in lines
    assert lines[-1].endswith("--baselines --seeds 3")
    alone = replace(certificate, random=())
    lines = seed_lines(compare(alone, None), alone, MoreSeeds(run.path))
    assert lines[-1] == f"{said} stand beside it."
    given = replace(alone, method=None)
    assert not any(
        "search" in line for line in seed_lines(compare(given, None), given, MoreSeeds(run.path))
    )


def test_equal_trainings_are_no_known_spread() -> None:
    assert "they are all equal, so that the spread between seeds is not known" in spread_text(
        [spread((0.9, 0.9)), spread((0.8, 0.8))]
    )
    found = difference(spread((0.9, 0.8)), spread((0.8, 0.7)))
    assert found is not None
    assert difference_text(found) == (
        "10.0 points above with every one of 2 seeds, which shows no spread between seeds"
    )


def test_trainings_of_equal_number_name_their_seeds() -> None:
    text = spread_text([spread(FOUND), spread(WORSE[0])])
    assert text.startswith("3 trainings each (seeds 0, 1, 2), and top-1 is their mean")
    assert "no evidence" not in text, "differences of common seeds are tested, not compared with it"


def table_text(certificate: Certificate, baselines: Baselines | None) -> str:
    stream = io.StringIO()
    Console(file=stream, width=130).print(terminal_table(certificate, baselines))
    return stream.getvalue()


def test_the_table_has_means_deviations_and_numbers_of_seeds(run: RunFolder) -> None:
    before = table_text(run.read(Certificate), run.read(Baselines))
    assert "(seeds)" not in before
    text = table_text(with_seeds(run), run.read(Baselines))
    own = next(line for line in text.splitlines() if "This network" in line)
    assert "93.0 %" in own and "2.00 (3)" in own
    largest = next(line for line in text.splitlines() if "Largest" in line)
    assert "– (1)" in largest
    assert spread_cell(None) == "–"


def test_lines_below_the_table_end_with_the_seeds(run: RunFolder) -> None:
    lines = verdict_lines(run.read(Certificate), run.read(Baselines), MoreSeeds(run.path))
    seen, first, second, counted, seeds, *_ = lines
    assert seen.startswith("As seen here") and seeds.startswith("One training each")
    # The metrics that were asked for, and what they were counted on.
    assert first.startswith("This network: tpr_at_fpr=0.01 38.12 % ")
    assert second.startswith("This network: auc 0.6906 ") and counted.startswith("10,000 evaluat")


def test_the_page_says_what_the_terminal_says(run: RunFolder) -> None:
    page = write_report(run.path).read_text("utf-8")
    assert "One training each (n = 1)" in page
    assert "images by itself, which is not the spread between seeds" in page
    with_seeds(run)
    page = write_report(run.path).read_text("utf-8")
    for text in ("This search paid", "sd (seeds) 2.00 (3)", "interval of the mean over seeds"):
        assert text in page
    assert "This network against Random 1: " in page
    assert "This network against Largest" not in page, "a single training tells no difference"


def test_the_page_of_another_device_has_the_seeds_without_a_picture(run: RunFolder) -> None:
    certificate = with_seeds(run)
    run.path_of(Baselines).unlink()
    run.write(
        replace(certificate, measured_ms=None, largest=None, uniform=None, random=(), device="pi")
    )
    page = write_report(run.path).read_text("utf-8")
    assert "Accuracy against latency" not in page
    assert "3 trainings (seeds 0, 1, 2)" in page


def test_upright_lines_are_either_of_seeds_or_of_images(run: RunFolder) -> None:
    single = compare(run.read(Certificate), None)[0]
    low, high = accuracy_reach(single, False, 10_000)
    assert low == high > 0
    assert accuracy_reach(single, True, 10_000) == (0.0, 0.0)
    several = compare(with_seeds(run), None)[0]
    seeds = several.known_trainings
    assert seeds is not None and seeds.low is not None and seeds.high is not None
    expected = (seeds.mean - seeds.low, seeds.high - seeds.mean)
    assert accuracy_reach(several, True, 10_000) == pytest.approx(expected)


def test_a_race_says_that_single_trainings_decided_it() -> None:
    scores = {
        name: CandidateScore(top1, 1.0, 10, 1.0)
        for name, top1 in {"search 1": 0.93, "random 1": 0.91}.items()
    }
    names = ("search 1", "random 1")
    candidates = tuple(Candidate(name, "search", (0,), "", None, 1.0) for name in names)
    text = race_text(RaceResult(candidates, "search 1", (RungResult(2.0, names, scores),)))
    assert text.startswith("search 1 led random 1 by 2.00 points in the last round.")
    assert "the spread between seeds is not known" in text

"""The background rate of a sample is used where a metric lacks one, and nowhere else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nas.data.look import look_at
from nas.errors import InputError
from nas.interface.networks import network_for_images
from nas.interface.profiling import profile_of
from nas.interface.usual_rate import lacks_rate, with_usual_rate
from nas.runs.data import DataSource

TRIGGER, LETTERS = DataSource(sample="trigger"), DataSource()
RATE = "tpr_at_rate=10kHz"


@pytest.mark.parametrize(
    "options",
    [
        {"metrics": f"auc,{RATE}"},
        {"metrics": ["auc", RATE]},
        {"metrics": f"{RATE}>=0.9"},
        {"select_by": RATE},
        {"objectives": f"{RATE},params"},
        {"budgets": f"params<=1000,{RATE}>=0.5"},
    ],
)
def test_metric_at_a_rate_gets_the_rate_of_the_sample(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert lacks_rate(options)
    assert with_usual_rate(options, TRIGGER) == {**options, "background_rate_hz": 4e6}
    assert "Background rate: 4MHz, that of the sample trigger." in capsys.readouterr().out
    # Images without such a rate: whoever judges says that it is missing.
    assert with_usual_rate(options, LETTERS) == options
    assert with_usual_rate(options, DataSource("files", "/images")) == options


@pytest.mark.parametrize(
    "options",
    [{}, {"metrics": "auc"}, {"objectives": "top1"}, {"metrics": RATE, "background_rate_hz": 1e5}],
)
def test_nothing_changes_where_no_rate_is_missing(
    options: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert not lacks_rate(options)
    assert with_usual_rate(options, TRIGGER) == options
    assert not capsys.readouterr().out


def test_broken_metric_is_refused_as_ever() -> None:
    with pytest.raises(InputError, match="Hz"):
        with_usual_rate({"metrics": "tpr_at_rate=10"}, TRIGGER)


def test_given_networks_have_the_classes_and_the_size_of_the_named_sample() -> None:
    found = network_for_images("mobilenetv2_x0.35", {}, TRIGGER).architecture
    assert (found.image_size, found.num_classes) == (16, 2)
    with pytest.raises(InputError, match="2 classes"):
        network_for_images("in_s16 gap fc_c12", {}, TRIGGER)


def test_a_profile_is_of_the_named_sample(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOPWATCH_CACHE", str(tmp_path))  # without a table
    named = profile_of({"sample": "trigger", "space": "toy"})[0]
    usual = profile_of({"space": "toy"})[0]
    letters = profile_of({"sample": "letters", "space": "toy"})[0]
    assert named != usual and letters == usual
    # A space has the images' size and classes in a search, and not its own 10 classes.
    cifar = profile_of({"space": "cifar"})[0]
    looks = look_at(None)
    assert (cifar.image_size, cifar.num_classes) == (looks.image_size, looks.num_classes)
    assert looks.num_classes == 12

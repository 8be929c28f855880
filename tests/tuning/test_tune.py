"""Knobs of a recipe as `--tune` writes them."""

from __future__ import annotations

import pytest

from nas.cli.program import search_flags
from nas.cli.recipe_flags import named_as_typed
from nas.errors import WrittenError
from nas.recipes.smoke import SMOKE
from nas.tuning.parameters import OneOfList, Range
from nas.tuning.tune import check_fits, ends_of, parse_tune


def test_lists_and_ranges_of_every_kind_are_read() -> None:
    text = (
        "learning_rate=log[1e-3,1], batch_size={64,128},augmentation.cutout_pixels={none,8},"
        "dropout=[0,0.5],flip={true,false}"
    )
    assert parse_tune(text) == (
        Range("learning_rate", 1e-3, 1.0, is_log=True),
        OneOfList("batch_size", (64, 128)),
        OneOfList("cutout_pixels", (None, 8)),
        Range("dropout", 0.0, 0.5),
        OneOfList("flip", (True, False)),
    )
    (whole,) = parse_tune("batch_size=log[16,256]")
    assert whole == Range("batch_size", 16, 256, is_log=True, is_whole=True)
    assert ends_of(whole) == (16, 256)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "learning_rate",
        "learning_rate=1",
        "learning_rate=[1,2}",
        "learning_rate=[1,2]]",
        "learning_rate=[1,2] batch_size={1,2}",
        "learning_rate=[1]",
        "learning_rate=[1,2,3]",
        "learning_rate=[a,2]",
        "learning_rate=[1,inf]",
        "learning_rate=log{1,2}",
        "learning_rate={x,1}",
        "learning_rate=[1,2],",
        "learning_rate=[2,1]",
        "learning_rate=log[0,1]",
        "batch_size={8,8}",
        "batch_size={}",
        "optimizer.learning_rate=[1,2]",
        "lr=[1,2]",
        "batch_size={1.5,2}",
        "flip={true,false},flip={true,false}",
        "image_sizes={16,32}",
    ],
)
def test_what_is_no_list_and_no_range_is_refused(text: str) -> None:
    # Names of knobs stand as they are written there: no flag of a search by trials has them.
    with pytest.raises(WrittenError) as caught, named_as_typed(search_flags()):
        parse_tune(text)
    assert "--" not in str(caught.value).replace("--tune", "")


def test_values_have_to_go_with_some_recipe_of_the_trials() -> None:
    check_fits(parse_tune("optimizer={adamw,sgd},momentum=[0.1,0.9]"), SMOKE)
    for text in ("momentum=[0.1,0.9]", "optimizer={adamw,sgd},momentum=[0.1,1.5]"):
        with pytest.raises(WrittenError, match="momentum"):
            check_fits(parse_tune(text), SMOKE)
    with pytest.raises(WrittenError, match="label_smoothing=1.0 of --tune"):
        check_fits(parse_tune("label_smoothing=[0,1]"), SMOKE)

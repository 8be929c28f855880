"""Progressive resizing, stochastic depth, and the time of waiting: what they refuse and give."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.builders.keras_model import build_model
from nas.builders.stochastic_depth import branch_dropout, branch_rates
from nas.data import Split
from nas.data.augment import Augmentation
from nas.data.augmentation.mixing import Mixing
from nas.data.loader import BatchLoader
from nas.errors import InputError
from nas.training.history import accuracy_cells
from nas.training.image_sizes import check_takes_sizes, size_at
from nas.training.recipe import Recipe
from nas.training.suits import check_suits
from nas.training.teachers.settings import Distillation
from nas.training.waiting import WaitClock, waiting_share, waiting_text

DEEP = arch_text.loads("in_s16 cn_r1_k3_s2_c8 ir_r3_k3_s1_e2_c8 gap fc_c4")
FLAT = arch_text.loads("in_s16 cn_r1_k3_s2_c8 flat fc_c4")
POOLED = arch_text.loads("in_s16 cn_r1_k3_s2_c8 mp_k4 gap fc_c4")


def test_sizes_share_the_steps_equally() -> None:
    found = [size_at((20, 26, 32), step, 9) for step in range(9)]
    assert found == [20] * 3 + [26] * 3 + [32] * 3
    assert [size_at((20, 26, 32), step, 2) for step in range(2)] == [20, 26]
    assert {size_at((8,), step, 5) for step in range(5)} == {8}


@pytest.mark.parametrize(
    ("network", "sizes", "received"),
    [
        (DEEP, (8, 20), "20"),
        (FLAT, (8, 16), "`2.dense.kernel`"),
        (POOLED, (4, 16), "shape (2, 2, 8)"),
    ],
    ids=["larger", "flattened", "pooled"],
)
def test_sizes_that_a_network_cannot_take_are_refused(
    network: Architecture, sizes: tuple[int, ...], received: str
) -> None:
    with pytest.raises(InputError) as caught:
        check_takes_sizes(network, sizes)
    assert received in caught.value.received and "image_sizes" in caught.value.fix
    check_takes_sizes(network, (16,))


@pytest.mark.parametrize("sizes", [(20, 20), (26, 20), (0, 4), (4.0, 8)])
def test_sizes_that_do_not_grow_are_refused(sizes: Any) -> None:
    with pytest.raises(InputError, match="image_sizes"):
        Recipe(1.0, image_sizes=sizes)


def test_a_recipe_must_say_something_for_its_network() -> None:
    check_suits(DEEP, Recipe(1.0, stochastic_depth=0.2, image_sizes=(8, 16)))
    with pytest.raises(InputError, match="residual"):
        check_suits(FLAT, Recipe(1.0, stochastic_depth=0.2))
    with pytest.raises(InputError, match="dropout 0.2 and none in") as caught:
        check_suits(DEEP, Recipe(1.0, dropout=0.2))
    # As the fix says; a residual block may have such a layer inside, and no dropout is no error.
    assert "drop_p0.2" in caught.value.fix
    for text in ("gap drop_p0.2", "rb_k3_w8_p0.5 gap"):
        check_suits(arch_text.loads(f"in_s16 cn_k3_s2_c8 {text} fc_c4"), Recipe(1.0, dropout=0.2))
    check_suits(DEEP, Recipe(1.0, dropout=0.0))
    pasted = Augmentation(mixing=Mixing(None, 1.0))
    with pytest.raises(InputError, match="cutmix_alpha"):
        check_suits(DEEP, Recipe(1.0, image_sizes=(1, 16), augmentation=pasted))
    # A teacher is shown the same smaller images, in the size that it takes.
    check_suits(DEEP, Recipe(1.0, image_sizes=(8, 16), distillation=Distillation("teacher.onnx")))


def test_branches_are_left_out_more_often_the_deeper_they_are() -> None:
    rates = branch_rates(DEEP, 0.3)
    # Thirds of a number of which floats have no exact third.
    assert list(rates.values()) == pytest.approx([0.1, 0.2, 0.3])
    assert branch_rates(DEEP, 0.0) == {} == branch_rates(FLAT, 0.5)


def test_a_branch_is_there_or_not_for_a_whole_image_and_its_mean_stays() -> None:
    keras.utils.set_random_seed(0)
    layer = branch_dropout(0.25, 3, "branch")
    x = np.ones((2000, 2, 2, 3), np.float32)
    found = keras.ops.convert_to_numpy(layer(x, training=True))
    images = found.reshape(2000, -1)
    assert (images == images[:, :1]).all()
    # 1 over 0.75 is no exact float32.
    np.testing.assert_allclose(np.unique(images), [0.0, 4 / 3], rtol=1e-6)
    assert 420 < (images[:, 0] == 0).sum() < 580  # four standard deviations around 500
    assert np.array_equal(keras.ops.convert_to_numpy(layer(x, training=False)), x)


def test_a_network_without_its_branches_is_the_one_in_evaluation() -> None:
    keras.utils.set_random_seed(0)
    plain, deep = build_model(DEEP), build_model(DEEP, stochastic_depth=0.5)
    deep.set_weights(plain.get_weights())
    x = np.random.default_rng(0).uniform(0, 255, (4, 16, 16, 3)).astype(np.float32)
    one, other = (keras.ops.convert_to_numpy(m(x, training=False)) for m in (plain, deep))
    assert np.array_equal(one, other) and len(plain.weights) == len(deep.weights)


class _Slow:
    """Stands for a loader that was waited for."""

    seconds_waiting = 0.0


def test_the_share_of_waiting_is_that_of_the_time_since_the_last_row() -> None:
    slow: Any = _Slow()
    clock = WaitClock(slow)
    slow.seconds_waiting = 100.0  # before the training went on
    clock.start(10)
    slow.seconds_waiting += 0.5
    assert clock.take(20, 2.0) == pytest.approx(0.1)  # 5 s for 10 steps
    slow.seconds_waiting += 0.5
    assert clock.take(21, 2.0) == 1.0, "one step of half a second, all of it waited"
    assert clock.take(31, 2.0) == 0.0


def test_rows_count_by_their_time() -> None:
    rows = [
        {"step": 10, "examples_per_s": 100.0, "input_wait_share": 0.0},
        {"step": 20, "examples_per_s": 300.0, "input_wait_share": 0.4},
    ]
    assert waiting_share(rows) == pytest.approx(0.1)
    assert waiting_text(rows) == "Waiting for images: 10.0% of the time."
    assert waiting_share([{"step": 3}]) is None and waiting_text([]) is None


def test_what_is_right_by_the_greatest_part_is_no_accuracy() -> None:
    logs = {"accuracy": 0.5}
    mixed = Augmentation(mixing=Mixing(0.2))
    assert accuracy_cells(logs, mixed) == {"accuracy": None, "dominant_accuracy": 0.5}
    assert accuracy_cells(logs, Augmentation()) == {"accuracy": 0.5, "dominant_accuracy": None}


def test_a_reader_that_is_faster_than_its_loader_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    split = Split(np.zeros((8, 2, 2, 3), np.uint8), np.zeros(8, np.int32))
    loader = BatchLoader(split, batch_size=4, seed=0)
    ticks = iter(range(100))
    monkeypatch.setattr("nas.data.loader.time.perf_counter", lambda: float(next(ticks)))
    assert len(list(loader.iterate(0, 3))) == 3
    assert loader.seconds_waiting == 3.0  # one tick a batch

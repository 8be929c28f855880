"""Spaces whose knobs hold for the whole network: what is in them, and what cannot exist."""

from __future__ import annotations

import pickle
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.architecture.references.named import reference
from nas.architecture.spec import Architecture, Conv, Dense, Flatten, GlobalAveragePool, MaxPool
from nas.cost.counts import architecture_cost
from nas.errors import SpaceError
from nas.search_space.knob_space import KnobSpace, KnobValues, ShapeError
from nas.search_space.knob_spaces import CNV, CNV_SMALL, KNOB_SPACES, TRIGGER
from nas.search_space.named import any_space, get_space
from nas.system.user_files import FunctionError, load_file

ROOT = Path(__file__).resolve().parents[2]
STRAIGHT = (1,) * 6
# Six trials of the searches that `cnv` is made after: bits of weights and of activations, channels,
# pools, strides, units of both dense layers, kernel, pool; and what they have times the original's
# weight bits and bit operations, as far as the table of the searches says it.
TRIALS: dict[str, tuple[tuple[Any, ...], tuple[float, float]]] = {
    "1045": (
        (4, 2, (128, 256, 256, 512, 256, 512), (1, 4, 5), STRAIGHT, 16, 128, 3, 2),
        (11.5, 59.9),
    ),
    "957": ((2, 4, (128, 64, 512, 512, 512, 512), (1, 4), STRAIGHT, 32, 64, 2, 2), (4.8, 47.0)),
    "1746": ((2, 1, (128, 512, 128, 256, 512, 512), (3,), STRAIGHT, 256, 32, 2, 2), (27.4, 23.6)),
    "25878": (
        (4, 4, (64, 32, 256, 128, 256, 512), (), (1, 1, 2, 1, 3, 4), 256, 32, 3, 4),
        (5.2, 15.8),
    ),
    "30314": (
        (2, 4, (128, 128, 64, 64, 64, 256), (3,), (2, 2, 1, 1, 1, 2), 16, 64, 2, 2),
        (0.26, 0.83),
    ),
    "25815": (
        (1, 4, (32, 32, 512, 128, 256, 32), (3, 4), (1, 1, 1, 1, 1, 3), 256, 32, 3, 2),
        (0.73, 27.2),
    ),
}


def values_of(trial: tuple[Any, ...]) -> dict[str, Any]:
    weights, activations, channels, pools, strides, first, second, kernel, pool = trial
    names = {"weight_bit_width": weights, "act_bit_width": activations, "kernel": kernel}
    for place in range(6):
        names[f"conv{place}.channels"] = channels[place]
        names[f"conv{place}.pool"] = place in pools
        names[f"conv{place}.stride"] = strides[place]
    return {**names, "pool_size": pool, "fc1.units": first, "fc2.units": second}


@pytest.mark.parametrize("number", TRIALS)
def test_published_trials_are_in_the_space_and_cost_what_the_table_says(number: str) -> None:
    trial, (weight_bits, bops) = TRIALS[number]
    values = values_of(trial)
    assert all(values[name] in options for name, options in CNV.knobs.items())
    cost, original = (architecture_cost(CNV.network(v)) for v in (values, CNV.original))
    assert (original.weight_bits, original.bops) == (1_542_848, 70_347_776)
    # The table has one digit behind the point, and two below 1.
    digit = 0.05 if weight_bits > 1 else 0.005
    assert cost.weight_bits / original.weight_bits == pytest.approx(weight_bits, abs=digit)
    digit = 0.05 if bops > 1 else 0.005
    assert cost.bops / original.bops == pytest.approx(bops, abs=digit)


def test_originals_are_the_published_networks_of_their_names() -> None:
    for name, bits in {"cnv_w1a1": (1, 1), "cnv_w1a2": (1, 2), "cnv_w2a2": (2, 2)}.items():
        widths = dict(zip(("weight_bit_width", "act_bit_width"), bits, strict=True))
        assert CNV.network({**CNV.original, **widths}) == reference(name)
    assert CNV.original_name == "cnv_w1a1"
    assert TRIGGER.network(TRIGGER.original) == reference("trigger")


def test_both_searches_have_the_published_numbers_of_configurations() -> None:
    # 9 pairs of bits, 5 channels, pools and strides of 6 layers, 6 x 6 units, 4 kernels, 2 pools.
    assert CNV.size == 9 * (5 * 2 * 4) ** 6 * 36 * 8 == CNV_SMALL.size
    assert TRIGGER.sizes == (135, 120) and TRIGGER.size == 255
    points = [TRIGGER.point(number) for number in range(255)]
    assert len({tuple(point.items()) for point in points}) == 255
    assert all(TRIGGER.canonical(point) == point for point in points)
    assert not [point for point in points if TRIGGER.broken(point)]
    assert Counter(point["regularisation"] for point in points) == {
        "batch_norm": 135,
        "dropout_0.2": 60,
        "dropout_0.5": 60,
    }
    with pytest.raises(SpaceError, match="a number below 255"):
        TRIGGER.point(255)


def test_small_cnv_has_a_quarter_of_the_widths() -> None:
    for name, options in CNV.knobs.items():
        part = 4 if name.endswith((".channels", ".units")) else 1
        small = CNV_SMALL.knobs[name]
        assert [int(v) * part for v in small] == [int(v) for v in options]  # type: ignore[arg-type]
    widths = [layer.channels for layer in network_layers(CNV_SMALL) if isinstance(layer, Conv)]
    assert widths == [16, 16, 32, 32, 64, 64]


def network_layers(space: KnobSpace) -> tuple[Any, ...]:
    return space.network(space.original).layers


@pytest.mark.parametrize("name", KNOB_SPACES.names)
def test_draws_have_networks_of_the_space_or_say_which_condition_they_break(name: str) -> None:
    space = any_space(name, None, 4)
    assert isinstance(space, KnobSpace)
    rng, broken = np.random.default_rng(0), Counter[str]()
    for _ in range(60):
        values = space.draw(rng)
        assert all(values[knob] in options for knob, options in space.knobs.items())
        condition = space.broken(values)
        if condition is None:
            assert space.network(values).num_classes == 4
        else:
            broken[condition] += 1
            with pytest.raises(ShapeError, match="a network with kernel|pool_size") as caught:
                space.network(values)
            assert pickle.loads(pickle.dumps(caught.value)).condition == condition
    assert (len(broken) > 1) == (name != "trigger")


def test_a_kernel_and_a_pool_that_are_larger_than_the_map_are_named_with_their_place() -> None:
    strides = {f"conv{place}.stride": 4 for place in range(2)}
    assert CNV.broken({**CNV.original, **strides}) == "kernel <= map at conv2"
    pools = {"conv2.pool": True, "pool_size": 4, "conv1.stride": 4}
    assert CNV.broken({**CNV.original, **pools}) == "kernel <= map at conv2"
    # The original pools after conv1 and conv3.
    assert CNV.broken({**CNV.original, "pool_size": 4}) == "pool_size <= map at conv3"
    assert CNV.broken({**CNV.original, "kernel": 1, "pool_size": 4, "conv5.pool": True}) == (
        "pool_size <= map at conv5"
    )


def test_pools_of_no_layer_have_no_size_of_their_own() -> None:
    without = {**CNV.original, **{f"conv{place}.pool": False for place in range(6)}}
    two, four = ({**without, "pool_size": size} for size in (2, 4))
    assert CNV.canonical(four) == CNV.canonical(two)
    assert CNV.network(four) == CNV.network(two)
    assert CNV.canonical({**CNV.original, "pool_size": 4})["pool_size"] == 4


def positions(values: KnobValues) -> list[list[int]]:
    """Where each convolution of a CNV begins to read, along one side of its map."""
    size, found = 32, []
    for place in range(6):
        kernel: Any = values["kernel"]
        stride: Any = values[f"conv{place}.stride"]
        found.append(list(range(0, size - kernel + 1, stride)))
        size = len(found[-1])
        if values[f"conv{place}.pool"]:
            pool: Any = values["pool_size"]
            size //= pool
    return found


def counted(values: KnobValues) -> list[Any]:
    """Costs and shapes of each layer, without the strides that its name tells."""
    layers = architecture_cost(CNV.network(values)).layers
    return [replace(layer, name=layer.name.split("_s")[0]) for layer in layers]


def test_strides_that_leave_one_position_are_one_configuration() -> None:
    rng, alike, others = np.random.default_rng(3), 0, 0
    strides = CNV.knobs["conv0.stride"]
    for _ in range(200):
        values = CNV.draw(rng)
        if CNV.broken(values) is not None:
            # What it breaks is told of the values that were asked for.
            assert CNV.broken(CNV.canonical(values)) == CNV.broken(values)
            continue
        found = CNV.canonical(values)
        assert CNV.canonical(found) == found
        assert counted(found) == counted(values)
        for place in range(6):
            for stride in strides:
                other = {**values, f"conv{place}.stride": stride}
                if CNV.broken(other) is not None:
                    continue
                is_same = positions(other) == positions(values)
                assert (CNV.canonical(other) == found) == is_same
                alike, others = alike + is_same, others + (not is_same)
    # Each configuration is alike to itself in six places.
    assert alike > 40 and others > 10


def test_a_value_that_stands_for_others_is_one_of_the_grid() -> None:
    grid = {name: values for name, values in CNV.grids[0].items()}
    space = replace(CNV, grids=({**grid, "conv5.stride": (2, 4), "kernel": (3,)},))
    last = {**CNV.original, "conv5.stride": 4}
    assert CNV.canonical(last)["conv5.stride"] == 1
    assert space.canonical(last)["conv5.stride"] == 4


def test_values_that_no_grid_has_together_become_those_of_the_nearest_one() -> None:
    dropout = {**TRIGGER.point(254), "conv1.filters": 2, "conv2.filters": 4}
    # Four of five values are those of batch normalisation then.
    assert TRIGGER.canonical(dropout) == {**dropout, "regularisation": "batch_norm"}
    one = {**TRIGGER.point(254), "conv1.filters": 2}
    assert TRIGGER.canonical(one) == {**one, "conv1.filters": 4}
    assert TRIGGER.canonical({**one, "weight_format": "f9.4"})["weight_format"] == "f8.4"
    for values in (dropout, one):
        found = TRIGGER.canonical(values)
        assert TRIGGER.canonical(found) == found


def build(values: KnobValues, image_size: int, num_classes: int) -> Architecture:
    width = int(values["width"])  # type: ignore[arg-type]
    layers = (Conv(3, 1, width), MaxPool(width), Flatten(), Dense(num_classes))
    return Architecture(image_size, layers)


def build_without_pool(values: KnobValues, image_size: int, num_classes: int) -> Architecture:
    width = int(values["width"])  # type: ignore[arg-type]
    layers = (Conv(3, 1, width), GlobalAveragePool(), Dense(num_classes))
    return Architecture(image_size, layers)


OWN = KnobSpace("own", 8, 3, ({"width": (2, 4, 16)},), build, {"width": 2})


def test_what_a_space_does_not_look_at_itself_is_told_by_the_layer() -> None:
    condition = OWN.broken({"width": 16})
    assert condition is not None and "a map of 16 pixels" in condition
    assert OWN.broken({"width": 4}) is None


def test_fingerprints_follow_knobs_images_and_what_is_built() -> None:
    others = [
        OWN,
        replace(OWN, grids=({"width": (2, 4)},)),
        replace(OWN, original={"width": 4}),
        replace(OWN, tune="learning_rate=[1,2]"),
        replace(OWN, build=build_without_pool),
        OWN.at(16, None),
        OWN.at(None, 4),
    ]
    assert len({space.fingerprint() for space in others}) == len(others)
    assert OWN.fingerprint() == replace(OWN).fingerprint() == OWN.at(8, 3).fingerprint()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"grids": ()}, "one grid or more"),
        ({"grids": ({},)}, "one grid or more"),
        ({"grids": ({"width": (2,)}, {"depth": (2,)})}, "the same knobs"),
        ({"grids": ({"width": ()},)}, "different values of knob width"),
        ({"grids": ({"width": (2, 2)},)}, "different values of knob width"),
        ({"grids": ({"width": (2, 4)}, {"width": (4, 8)})}, "without a common configuration"),
        ({"original": {}}, "values of all knobs in the original"),
        ({"grids": ({"width": (2, (3, 5))},)}, r"values of knob width in.*\(3, 5\), tuple"),
        ({"grids": ({"width": (2, np.int64(4))},)}, "values of knob width in.*int64"),
        ({"grids": ({"width": (2.0, float("nan"))},)}, "finite numbers.*width.*nan, float"),
        ({"original": {"width": [2]}}, r"values of knob width in.*\[2\], list"),
    ],
)
def test_spaces_that_contradict_themselves_are_refused(
    changes: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SpaceError, match=f"(?s){expected}"):
        replace(OWN, **changes)


DIVIDES = """
def divide(values, *_):
    return values["width"] // 0
"""


@pytest.mark.parametrize("function", ["build", "standing"])
def test_a_function_that_breaks_off_is_told_with_its_values_and_its_line(
    function: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.py"
    path.write_text(DIVIDES)
    divide: Any = load_file(path, "--space").divide
    changes: dict[str, Any] = {function: divide}
    space = replace(OWN, **changes)
    call = space.network if function == "build" else space.canonical
    with pytest.raises(FunctionError) as caught:
        call({"width": 4})
    assert caught.value.expected == f"`{function}` of space `own` with width=4 to come to its end"
    assert caught.value.received.startswith("ZeroDivisionError: ")
    assert caught.value.received.endswith(f" in {path}, line 3")
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    # What breaks off in a space of the project itself is no fault of a file.
    own: dict[str, Any] = {function: lambda values, *_: values["width"] // 0}
    with pytest.raises(ZeroDivisionError):
        getattr(replace(OWN, **own), call.__name__)({"width": 4})


def test_a_build_without_a_network_is_told() -> None:
    with pytest.raises(FunctionError, match="an Architecture from `build`.*width=2") as caught:
        replace(OWN, build=lambda *_: None).broken({"width": 2})  # type: ignore[arg-type]
    assert caught.value.received == "None" and "ShapeError" in caught.value.fix


def test_images_that_the_original_has_no_room_in_are_refused() -> None:
    with pytest.raises(SpaceError, match="28 px, where it breaks kernel <= map at conv5"):
        any_space("cnv", 28, 10)
    with pytest.raises(SpaceError, match="two classes or more"):
        any_space("trigger", 16, 1)
    assert any_space("trigger", 32, None).image_size == 32


def test_unknown_names_have_the_nearest_one_and_other_methods_are_told() -> None:
    with pytest.raises(SpaceError, match="write 'trigger'"):
        any_space("triger")
    with pytest.raises(SpaceError, match="one of .*small, .*cnv_small"):
        any_space("huge")
    with pytest.raises(SpaceError, match="--method asha, hyperband or grid"):
        get_space("cnv")


def test_the_example_is_a_space_of_knobs() -> None:
    found = any_space(str(ROOT / "examples" / "few_bits.py"), 32, 12)
    assert isinstance(found, KnobSpace) and found.size == 12 and found.num_classes == 12
    broken = Counter(found.broken(found.point(number)) for number in range(12))
    assert broken == {None: 8, "stride <= image": 4}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("def space(image_size, num_classes):\n    return {}['x']\n", "`space(16, 5)`"),
        (
            "from dataclasses import replace\n"
            "from tests.search_space.test_knob_space import OWN\n"
            "SPACE = replace(OWN, places=lambda image_size, num_classes: {}['x'])\n",
            "`places` of space `own`",
        ),
    ],
)
def test_functions_of_a_file_that_break_off_are_told(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(FunctionError, match="KeyError: 'x' in ") as caught:
        get_space(str(path), 16, 5)
    assert said in caught.value.expected


def test_a_file_may_define_a_space_of_knobs(tmp_path: Path) -> None:
    path = tmp_path / "own.py"
    path.write_text(
        "from tests.search_space.test_knob_space import OWN\n"
        "def space(image_size, num_classes):\n    return OWN\n"
    )
    found = any_space(str(path), 16, 5)
    assert isinstance(found, KnobSpace) and (found.image_size, found.num_classes) == (16, 5)
    with pytest.raises(SpaceError, match="whose knobs hold for the whole network"):
        get_space(str(path), 16, 5)

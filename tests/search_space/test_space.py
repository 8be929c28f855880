"""Spaces: counting, drawing, changing, and refusing what does not fit."""

from __future__ import annotations

import re

import numpy as np
import pytest

from nas.architecture.spec import Architecture, Conv, Dense, GlobalAveragePool, MBConv, Skip
from nas.errors import SpaceError
from nas.search_space.named import SPACES, get_space, space_for
from nas.search_space.space import OneOf, Space

SMALL = Space(
    "small",
    16,
    (
        Conv(3, 2, 8),
        OneOf("a", (MBConv(3, 1, 3, 8), MBConv(5, 1, 3, 8), Skip())),
        OneOf("b", (MBConv(3, 2, 3, 16), MBConv(3, 2, 6, 16))),
        GlobalAveragePool(),
        Dense(4),
    ),
)


def test_size_counts_every_network() -> None:
    networks = {SMALL.decode((a, b)) for a in range(3) for b in range(2)}
    assert len(networks) == SMALL.size == 6
    assert all(SMALL.contains(network) for network in networks)


def test_draws_are_even_over_joint_options() -> None:
    rng = np.random.default_rng(0)
    counts = np.zeros(3)
    for _ in range(3000):
        counts[SMALL.encode(SMALL.sample(rng))[0]] += 1
    # Binomial with p = 1/3: the standard deviation of a share is 0.0086; four of them.
    np.testing.assert_allclose(counts / 3000, 1 / 3, atol=0.035)


def test_extremes() -> None:
    assert SMALL.encode(SMALL.largest()) == (1, 1)
    assert SMALL.encode(SMALL.smallest()) == (2, 0)


def test_another_network_is_named() -> None:
    other = (Conv(3, 2, 8), MBConv(7, 1, 3, 8), *SMALL.largest().layers[2:])
    with pytest.raises(SpaceError, match="as layer 1 in space `small`") as error:
        SMALL.encode(Architecture(16, other))
    assert "ir_r1_k7_s1_e3_c8" in str(error.value) and "skip" in str(error.value)
    with pytest.raises(SpaceError, match="16 px and 5 layers"):
        SMALL.encode(get_space("sample").largest())
    assert not SMALL.contains(get_space("sample").largest())


def test_wrong_indices_are_refused() -> None:
    with pytest.raises(SpaceError, match="2 indices"):
        SMALL.decode((0,))
    with pytest.raises(SpaceError, match="from 0 to 2 at `a`"):
        SMALL.decode((3, 0))


def test_options_must_agree_on_their_output() -> None:
    with pytest.raises(SpaceError, match="one output shape"):
        Space("bad", 16, (OneOf("a", (Conv(3, 1, 8), Conv(3, 2, 8))), GlobalAveragePool()))
    with pytest.raises(SpaceError, match="different options"):
        OneOf("a", (Skip(), Skip()))


def test_fingerprint_follows_what_costs_time() -> None:
    same = get_space("tiny", 64, 200).fingerprint()
    assert same == get_space("tiny").fingerprint()
    assert (
        len({same, get_space("tiny", 96).fingerprint(), get_space("tiny", 64, 10).fingerprint()})
        == 3
    )


@pytest.mark.parametrize("name", list(SPACES))
def test_named_spaces(name: str) -> None:
    space = get_space(name)
    for index, shape in enumerate(space.input_shapes()[1:-3], start=1):
        assert shape[2] % 8 == 0
        layer = space.layers[index]
        if isinstance(layer, OneOf) and name != "mnasnet":
            assert min(shape[:2]) >= 4, "5x5 and 7x7 kernels must see data"
    first = [c for c in space.choices if c.tag.endswith("block1")]
    assert not any(c.skippable for c in first)


@pytest.mark.parametrize("size", [32, 64, 96, 224])
def test_mnasnet_at_any_image_size(size: int) -> None:
    assert get_space("mnasnet", size).size == 4**5 * 5**15


def test_small_images_are_refused_with_the_least_size() -> None:
    with pytest.raises(SpaceError, match="at least 49 px"):
        get_space("tiny", 48)
    assert get_space("tiny", 49).image_size == 49
    with pytest.raises(SpaceError) as tiny_images:
        get_space(space_for(8), 8)
    least = re.search(r"at least (\d+) px", tiny_images.value.expected)
    assert least and f"--image_size {least.group(1)}" in tiny_images.value.fix
    assert get_space(space_for(8), int(least.group(1)))
    with pytest.raises(SpaceError, match="two classes"):
        get_space("tiny", 64, 1)
    with pytest.raises(SpaceError, match="a space, one of"):
        get_space("huge")


def test_default_space_by_image_size() -> None:
    assert space_for(64) == "tiny"
    assert space_for(32) == "cifar"


# Tables that were measured by earlier versions are found by these.
FINGERPRINTS = {
    "mnasnet": "f0dd48b5572f",
    "tiny": "e86f2604ae71",
    "tiny_wide": "6ed341bd88d8",
    "tiny_se": "c58cfd4fd14d",
    "cifar": "31e770ece27e",
    "small": "82cca9e03467",
    "small_se": "f7a7c272c258",
    "sample": "00d768b44de6",
    "planted": "9c804e268506",
    "toy": "e8eec260507f",
}


def test_fingerprints_of_float_spaces_stay_what_they_were() -> None:
    assert {name: get_space(name).fingerprint() for name in FINGERPRINTS} == FINGERPRINTS

"""Texts and files that ask for too much, or for nothing that there is: refused at once."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latency.errors import LatencyError
from nas.architecture import bounds, timm_text
from nas.architecture import text as arch_text
from nas.architecture.lowering import lower_architecture
from nas.architecture.spec import (
    LAYER_TYPES,
    Architecture,
    Conv,
    GlobalAveragePool,
    Layer,
    Residual,
)
from nas.errors import ArchitectureError, InputError
from nas.interface.networks import count, read_architecture

HUGE = "9" * 30
NINES = "999999999"


def refused(text: str) -> str:
    """The message of a text that is refused, whichever way it comes in."""
    with pytest.raises(InputError) as error:
        arch_text.loads(text)
    message = str(error.value)
    assert all(part in message for part in ("Expected", "Received", "Fix"))
    assert len(message) < 2_000, "a message is for people"
    return message


@pytest.mark.parametrize(
    "token",
    [
        # Enormous counts, widths, kernels, strides, expansions, classes.
        f"ir_r{NINES}_k3_s1_e1_c8",
        f"ir_r{HUGE}_k3_s1_e1_c8",
        f"cn_r{NINES}_k3_s1_c8",
        f"ir_k3_s1_e1_c{NINES}",
        f"ir_k{NINES}_s1_e1_c8",
        f"ir_k3_s{NINES}_e1_c8",
        f"ir_k3_s1_e{NINES}_c8",
        f"fc_c{NINES}",
        f"mp_k{HUGE}",
        # Nothing, less than nothing, parts of a whole, other ways to write numbers.
        "ir_r0_k3_s1_e1_c8",
        "ir_k0_s1_e1_c8",
        "cn_k3_s0_c8",
        "cn_k3_s1_c0",
        "cn_k3_s1_c-8",
        "cn_k3_s1_c+8",
        "cn_k3_s1_c8.0",
        "cn_k3_s1_c1e3",
        "cn_k3_s1_c0x10",
        "cn_k3_s1_c1,000",
        "drop_p1e-5",
        "drop_p1",
        "drop_p-0.1",
        "drop_pnan",
        "drop_p.",
        "drop_p0..5",
        # Digits that are none here.
        "cn_k\u0663_s1_c8",
        "cn_k\uff13_s1_c8",
        "cn_k3_s1_c\u00b2",
        # Twice, unknown, garbage.
        "cn_k3_k5_s1_c8",
        "cn_r2_r2_k3_s1_c8",
        "cn_k3_s1_c8_nre_nre",
        "cn_k3_s1_c8_nre_nr6",
        "cn_k3_s1_c8_bias_bias",
        "cn_k3_s1_c8_",
        "cn__k3_s1_c8",
        "cn_k3_s1_c8;",
        "CN_k3_s1_c8",
        "cn_k3_s1_c8_\u200b",
        "[",
        "res",
        "cn_k3_s1_c8[gap]",
        "in_s64",
        "skip_k3",
    ],
)
def test_a_token_that_is_wrong_is_named(token: str) -> None:
    message = refused(f"in_s64 cn_k3_s2_c8 {token} gap fc_c10")
    # What cannot be seen is written out.
    shown = "'['" if "[" in token else repr(token)[1:-1]
    assert shown in message, message


@pytest.mark.parametrize(
    "text",
    [
        "in_s64 " + "gap " * 500_000,
        "in_s64 " + "cn_k3_s1_c8 " * (bounds.MOST_LAYERS + 1),
        f"in_s64 cn_r{bounds.MOST_LAYERS}_k3_s1_c8 gap fc_c10",
        "in_s64 " + "res[" * 100_000,
        "in_s64 " + "res[" * 17 + "skip" + "]" * 17,
        "in_s64 " + "]" * 100_000,
        "in_s64 " + "x" * (bounds.MOST_CHARACTERS + 1),
        "in_s64 res[] gap fc_c10",
        f"in_s{NINES} gap fc_c10",
        "in_s0 gap fc_c10",
        "in_s65537 gap fc_c10",
        timm_text.PREFIX + "mnasnet in_s64 stem_c16 " + "cn_r1_k3_s1_c8 " * 5_000,
        "{" * 100_000,
        '{"layers": ' + "[" * 100_000,
    ],
)
def test_a_text_that_is_too_much_is_refused_at_once(text: str) -> None:
    refused(text)


def test_what_is_just_within_the_bounds_is_read() -> None:
    repeats = bounds.MOST_LAYERS - 2
    network = arch_text.parse(f"in_s64 cn_r{repeats}_k3_s1_c8 gap fc_c10")
    assert len(network.layers) == bounds.MOST_LAYERS
    levels = bounds.MOST_LEVELS
    deep = arch_text.parse("in_s64 " + "res[" * levels + "cn_k3_s1_c3" + "]" * levels)
    assert arch_text.from_json(json.loads(json.dumps(arch_text.to_json(deep)))) == deep
    # The smallest network with the longest text has to fit in.
    longest = len(json.dumps(arch_text.to_json(network), indent=1))
    assert longest < bounds.MOST_CHARACTERS


VALID = arch_text.to_json(arch_text.parse("in_s64 cn_k3_s2_c8 res[cn_k3_s1_c8] gap fc_c10"))


def nested(levels: int) -> dict[str, Any]:
    layer: dict[str, Any] = {"type": "cn", "kernel": 3, "stride": 1, "channels": 3}
    for _ in range(levels):
        layer = {"type": "res", "layers": [layer]}
    return layer


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"layers": [VALID["layers"][0]] * 5_000}, "5,000"),
        ({"layers": [nested(25)]}, "levels"),
        ({"layers": [{"type": "res", "layers": []}]}, "res"),
        ({"layers": [{"type": "cn", "kernel": 3, "stride": 1, "channels": int(NINES)}]}, NINES),
        ({"layers": [{"type": "cn", "kernel": True, "stride": 1, "channels": 8}]}, "True"),
        ({"layers": [{"type": "cn", "kernel": "3", "stride": 1, "channels": 8}]}, "'3'"),
        ({"layers": [{"type": "cn", "kernel": -3, "stride": 1, "channels": 8}]}, "-3"),
        ({"layers": [{"type": "cn", "kernel": [3], "stride": 1, "channels": 8}]}, "[3]"),
        ({"layers": [{"type": "drop", "rate": True}]}, "True"),
        ({"layers": [{"type": "fc", "units": 5, "activation": ["relu"]}]}, "['relu']"),
        ({"layers": [None]}, "None"),
        ({"image_size": int(NINES)}, NINES),
        ({"image_size": True}, "True"),
        ({"repeat": 3}, "repeat"),
        ({"name": ["a"]}, "['a']"),
        ({"text": 5}, "5"),
        ({"text": "in_s64 gap fc_c10"}, "in_s64 gap fc_c10"),
        ({"image_size": 32}, "in_s32"),
    ],
)
def test_a_file_that_is_wrong_is_refused_with_what_it_says(
    changes: dict[str, Any], named: str
) -> None:
    text = None if changes.keys() & {"text", "image_size"} else {"text": None}
    data = {**VALID, **(text or {}), **changes}
    if data["text"] is None:
        del data["text"]
    assert named in refused(json.dumps(data))


def test_a_file_may_leave_its_text_out() -> None:
    data = {key: value for key, value in VALID.items() if key != "text"}
    assert arch_text.from_json(data) == arch_text.from_json(VALID)


@pytest.mark.parametrize(
    "text",
    [
        "in_s65536 cn_k3_s1_c65536 gap fc_c10",
        "in_s64 cn_k65536_s1_c64 gap fc_c10",
        "in_s64 ir_k3_s1_e65536_c8 ir_k3_s1_e65536_c65536 gap fc_c10",
        "in_s512 flat fc_c65536",
        "in_s64 cn_k3_s1_c64000 wb_k3_s1_q64000_c8 gap fc_c10",
    ],
)
def test_numbers_that_are_small_alone_and_enormous_together_are_refused(text: str) -> None:
    network = arch_text.parse(text)
    with pytest.raises(ArchitectureError, match="at most 1,000,000,000"):
        lower_architecture(network)
    with pytest.raises(ArchitectureError, match="at most 1,000,000,000"):
        count(text)


def test_records_of_python_have_the_same_bounds() -> None:
    with pytest.raises(ArchitectureError, match="levels"):
        layer: Layer = Conv(3, 1, 3)
        for _ in range(bounds.MOST_LEVELS + 1):
            layer = Residual((layer,))
        Architecture(8, (layer,))
    shared: Layer = Conv(3, 1, 3)
    for _ in range(10):
        shared = Residual((shared,) * 100)  # 100 ** 10 places of one record
    with pytest.raises(ArchitectureError, match="layers"):
        Architecture(8, (shared, GlobalAveragePool()))


def test_a_file_is_refused_before_it_fills_the_memory(tmp_path: Any) -> None:
    path = tmp_path / "network.txt"
    with path.open("wb") as stream:
        stream.truncate(1 << 40)  # sparse: a terabyte that takes no room
    with pytest.raises(LatencyError, match="network.txt"):
        read_architecture(str(path))


def test_a_file_of_some_editors_begins_with_a_mark(tmp_path: Any) -> None:
    path = tmp_path / "network.json"
    path.write_text(json.dumps(VALID), "utf-8-sig")
    assert read_architecture(str(path)) == arch_text.from_json(VALID)


TOKENS = st.sampled_from(
    ["in", "res", "[", "]", "timm:mnasnet", "stem_c16", "head_c8", *sorted(LAYER_TYPES)]
)
PARTS = st.one_of(
    st.sampled_from(["", "r", "k", "s", "e", "c", "n", "nre", "p", "se", "x", "q", "bias"]),
    st.text(max_size=4),
)
NUMBERS = st.one_of(
    st.just(""),
    st.integers(-3, 10**12).map(str),
    # Where TensorFlow was imported before, this process has no subnormal numbers.
    st.floats(allow_nan=True, allow_subnormal=False).map(str),
    st.text("0123456789.\u0663\uff13", max_size=40),
)
WORDS = st.lists(st.tuples(PARTS, NUMBERS).map("".join), max_size=5)
ANY_TOKEN = st.tuples(TOKENS, WORDS).map(lambda pair: "_".join((pair[0], *pair[1])))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(ANY_TOKEN, st.text(max_size=8)), max_size=12), st.booleans())
def test_any_text_is_read_or_refused(tokens: list[str], is_ours: bool) -> None:
    text = " ".join((["in_s8"] if is_ours else ["timm:mnasnet", "in_s8", "stem_c8"]) + tokens)
    try:
        network = arch_text.loads(text)
    except InputError as error:
        assert error.expected and error.received and error.fix
    else:
        assert arch_text.parse(arch_text.to_text(network)) == network


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(2**70), 2**70),
        st.floats(allow_subnormal=False),
        st.sampled_from(["cn", "res", "relu", "architecture", "in_s8 gap"]),
        st.text(max_size=5),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["type", "layers", "kernel", "stride", "channels", "rate", "x"]),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(arch_text.KEYS)), JSON, max_size=6))
def test_any_file_is_read_or_refused(changes: dict[str, Any]) -> None:
    data = {key: value for key, value in VALID.items() if key != "text"} | changes
    try:
        network = arch_text.from_json(data)
    except InputError as error:
        assert error.expected and error.received and error.fix
    else:
        assert arch_text.from_json(arch_text.to_json(network)) == network

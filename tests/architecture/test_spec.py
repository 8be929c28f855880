"""Architecture text and JSON: exact inverses, and strict about everything else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from nas.architecture import text as arch_text
from nas.architecture.operations import Formats
from nas.architecture.spec import (
    Architecture,
    Conv,
    Dense,
    GlobalAveragePool,
    MBConv,
    Skip,
    register_layer,
)
from nas.errors import ArchitectureError, InputError
from nas.search_space.named import SPACES, get_space

TEXT = (
    "in_s64 cn_k3_s2_c16 ir_r3_k5_s2_e6_c24_se0.25_nhs skip res[cn_k3_s1_c24 drop_p0.1] gap fc_c7"
)


@pytest.mark.parametrize("name", list(SPACES))
def test_every_option_of_every_space_round_trips(name: str) -> None:
    space = get_space(name)
    rng = np.random.default_rng(0)
    for place, choice in enumerate(space.choices):
        for index in range(len(choice.options)):
            indices = list(space.encode(space.sample(rng)))
            indices[place] = index
            network = space.decode(indices)
            assert space.encode(network) == tuple(indices)
            assert arch_text.parse(arch_text.to_text(network)) == network
            assert (
                arch_text.from_json(json.loads(json.dumps(arch_text.to_json(network)))) == network
            )


def test_repeats_keep_the_stride_of_the_first() -> None:
    network = arch_text.parse("in_s64 ir_r3_k5_s2_e6_c24 gap fc_c2")
    blocks = [x for x in network.layers if isinstance(x, MBConv)]
    assert [b.stride for b in blocks] == [2, 1, 1]


def test_all_parts_are_read() -> None:
    network = arch_text.parse(TEXT)
    assert network.layers[1] == MBConv(5, 2, 6, 24, 0.25, "hard_swish")
    assert network.layers[4] == Skip()
    assert arch_text.parse(arch_text.to_text(network)) == network


@pytest.mark.parametrize(
    "text, named",
    [
        ("in_s64 ir_r1_k3_s1_e6_c24_zz9", "'zz9'"),
        ("in_s64 ir_k3_s1_e6", "with c"),
        ("in_s64 ir_k3_k5_s1_e6_c8", "'k5' again"),
        ("in_s64 xy_k3", "'xy'"),
        ("in_s64 ir_kx_s1_e6_c8", "'kx'"),
        ("in_s64 ir_k3.5_s1_e6_c8", "'k3.5'"),
        ("in_s64 ir_k0_s1_e6_c8", "above 0"),
        ("in_s64 ir_r0_k3_s1_e6_c8", "'r0'"),
        ("in_s64 ir_k3_s1_e6_c8_nxx", "'nxx'"),
        ("in_s64 drop_p1.5", "below 1"),
        ("in_s64 cn_k3_s1_c8_wqb0", "0 in 'b0' in 'cn_k3_s1_c8_wqb0'"),
        ("in_s64 cn_k3_s1_c8_wqb-1", "-1 in 'b-1'"),
        ("in_s64 cn_k3_s1_c8_aqf8.9", "integer bits, with the sign, from 1 to the 8"),
        ("in_s64 cn_k3_s1_c8_aq8", "a number format"),
        ("in_s64 cn_k3_s1_c8_wqb4_wqb4", "'wqb4' again"),
        ("in_s64 rb_k3_w8_wqb4", "'wqb4'"),
        ("in_s64 se_q2_aqb4", "'aqb4'"),
        ("in_s64 gap fc_c2_x0", "above 0"),
        ("in_s64 gap fc_c2_x70000", "up to 65536"),
        ("in_s64 res[cn_k3_s1_c3", "close the bracket"),
        ("in_s64 gap ]", "without `res[`"),
        ("in_s64 gap_k3", "'k3'"),
        ("ir_k3_s1_e6_c24", "starts with `in_s"),
        ("", "empty"),
        ("in_s64", "at least one layer"),
    ],
)
def test_typos_are_named(text: str, named: str) -> None:
    with pytest.raises(InputError) as error:
        arch_text.parse(text)
    message = str(error.value)
    assert named in message or named in message.lower()
    assert all(part in message for part in ("Expected", "Received", "Fix"))


@pytest.mark.parametrize(
    "change, named",
    [
        ({"schema_version": 4}, "schema_version from 1 to 3"),
        ({"schema_version": "1"}, "schema_version"),
        ({"kind": "table"}, "architecture"),
        ({"layers": "all"}, "list"),
        ({"image_size": 64.0}, "whole number"),
        ({"layers": [{"type": "zz"}]}, "`type` among"),
        ({"layers": [{"type": "ir", "kernel": 3}]}, "`ir` with"),
        ({"layers": [{"type": "mp", "size": 2, "extra": 1}]}, "`mp` with"),
        ({"layers": [{"type": "mp", "size": "2"}]}, "whole number above 0"),
        ({"layers": [{"type": "fc", "units": 2, "weight_format": "b0"}]}, "0 in 'b0' in {'type'"),
        ({"layers": [{"type": "fc", "units": 2, "bias_format": "f8.9"}]}, "integer bits"),
        ({"layers": [{"type": "fc", "units": 2, "norm_format": 8}]}, "a number format"),
        ({"layers": [{"type": "fc", "units": 2, "activation_format": None}]}, "a number format"),
        ({"layers": [{"type": "mp", "size": 2, "weight_format": "b4"}]}, "`mp` with"),
    ],
)
def test_bad_json_is_refused(change: dict[str, object], named: str) -> None:
    data = {**arch_text.to_json(arch_text.parse(TEXT)), **change}
    with pytest.raises(ArchitectureError) as error:
        arch_text.from_json(data)
    assert named in str(error.value)


def test_small_rates_and_long_numbers() -> None:
    network = arch_text.parse("in_s64 gap drop_p0.00001 fc_c2")
    assert arch_text.to_text(network) == "in_s64 gap drop_p0.00001 fc_c2"
    for text in ("in_s" + "9" * 5000 + " gap", "in_s64 ir_k" + "9" * 5000 + "_s1_e1_c8"):
        with pytest.raises(ArchitectureError, match="Fix"):
            arch_text.parse(text)


def test_loads_reads_both_forms() -> None:
    network = arch_text.parse(TEXT)
    assert arch_text.loads(TEXT + "\n") == network
    assert arch_text.loads(json.dumps(arch_text.to_json(network))) == network
    with pytest.raises(ArchitectureError, match="breaks off"):
        arch_text.loads('{"kind": "arch')


def test_records_check_their_values() -> None:
    with pytest.raises(ArchitectureError, match="whole number above 0"):
        Conv(3, 1, 8.0)  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match="one of none, relu"):
        Conv(3, 1, 8, "gelu")
    with pytest.raises(ArchitectureError, match="`weight_format` of `cn` to be a number format"):
        Conv(3, 1, 8, weight_format="b4")  # type: ignore[arg-type]
    with pytest.raises(ArchitectureError, match="weights of an operation to be a number format"):
        Formats(weights="b4")  # type: ignore[arg-type]


def test_a_token_cannot_be_taken_twice() -> None:
    class Other(MBConv):
        TOKEN = "cn"

    with pytest.raises(ArchitectureError, match="no other layer uses"):
        register_layer(Other)


def test_number_of_classes() -> None:
    network = Architecture(32, (Conv(3, 1, 8), GlobalAveragePool(), Dense(5)))
    assert network.num_classes == 5
    assert network.with_num_classes(9).num_classes == 9
    with pytest.raises(ArchitectureError, match="ends in a dense layer"):
        _ = Architecture(32, (Conv(3, 1, 8),)).num_classes

"""The description of this machine."""

from __future__ import annotations

import json

import onnxruntime
import pytest

from latency.device import strict_json
from latency.device.errors import FileFormatError
from latency.device.host import Host, current_host


def test_the_host_describes_this_machine_and_survives_its_json() -> None:
    host = current_host()
    assert host.cores_visible >= 1 and host.cpu_model
    assert host.onnxruntime == onnxruntime.__version__
    assert strict_json.decode(Host, json.loads(json.dumps(host.to_json())), "a host") == host


def test_the_fingerprint_follows_what_decides_a_latency() -> None:
    host = current_host()

    def changed(**fields: object) -> str:
        return Host(**{**host.__dict__, **fields}).fingerprint

    assert len(host.fingerprint) == 12 and set(host.fingerprint) <= set("0123456789abcdef")
    for same in ({"load_average": 99.0}, {"hostname": "other"}, {"kernel": "other"}):
        assert changed(**same) == host.fingerprint
    for other in ({"cpu_model": "x"}, {"isa_flags": ("z",)}, {"cores_visible": 999}):
        assert changed(**other) != host.fingerprint
    assert changed(onnxruntime="1.0.0") != changed(onnxruntime="1.1.0")
    assert changed(onnxruntime="1.1.0") == changed(onnxruntime="1.1.7")


def test_an_incomplete_host_is_refused() -> None:
    value = current_host().to_json()
    del value["cpu_model"]
    with pytest.raises(FileFormatError, match="Expected the key 'cpu_model' in a host"):
        strict_json.decode(Host, value, "a host")

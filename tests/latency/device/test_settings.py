"""Settings of sessions: what is refused, and their form in files."""

from __future__ import annotations

import json
from pathlib import Path

import onnxruntime
import pytest

from latency.device import strict_json
from latency.device.errors import FileFormatError
from latency.device.settings import KNOWN_CONFIG_KEYS, SessionSettings


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"intra_op_num_threads": 10**6}, "Expected intra_op_num_threads from 1 to 4096."),
        (
            {"intra_op_num_threads": 0},
            "Expected intra_op_num_threads from 1 to 4096.\nReceived: 0.",
        ),
        ({"graph_level": "full"}, "Received: 'full'.\nFix: use 'all'"),
        ({"provider": ""}, "Expected the name of an execution provider.\nReceived: ''.\nFix:"),
        (
            {"config_entries": {"session.x64quantprecisio": "1"}},
            "Received: 'session.x64quantprecisio'.\nFix: did you mean 'session.x64quantprecision'",
        ),
        (
            {"config_entries": {"session.disable_nchwc": "1"}},
            "Expected a configuration key that onnxruntime knows",
        ),
        (
            {"config_entries": {"session.set_denormal_as_zero": "1"}},
            "Fix: set set_denormal_as_zero instead.",
        ),
        ({"config_entries": {"session.dynamic_block_base": 4}}, "Received: 4.\nFix: write '4'."),
    ],
)
def test_settings_refuse_what_onnxruntime_would_swallow(
    changes: dict[str, object], text: str
) -> None:
    with pytest.raises(ValueError) as info:
        SessionSettings(**changes)  # type: ignore[arg-type]
    assert text in str(info.value)


def test_settings_survive_their_json_and_refuse_unknown_fields() -> None:
    settings = SessionSettings(
        graph_level="basic", config_entries={"session.x64quantprecision": "1"}
    )
    assert (
        strict_json.decode(SessionSettings, json.loads(json.dumps(settings.to_json())), "t")
        == settings
    )
    with pytest.raises(FileFormatError, match="Received: 'afinity'.\nFix: write 'affinity'"):
        strict_json.decode(SessionSettings, {"afinity": [1]}, "t")


def test_known_config_keys_are_in_the_installed_runtime() -> None:
    folder = Path(onnxruntime.__file__).parent / "capi"
    libraries = [*folder.glob("onnxruntime_pybind11_state*"), *folder.glob("libonnxruntime.*")]
    content = b"".join(path.read_bytes() for path in libraries)
    if onnxruntime.__version__.split(".")[:2] != ["1", "31"] or not content:
        pytest.skip("the list is that of onnxruntime 1.31")
    assert [key for key in sorted(KNOWN_CONFIG_KEYS) if key.encode() not in content] == []

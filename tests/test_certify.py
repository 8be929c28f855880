"""Readings beside networks of known milliseconds."""

from __future__ import annotations

from nas.certify import BUSY_DRIFT, READINGS, read_beside_anchors
from nas.spaces import get_space

SPACE = get_space("sample")
ANCHORS = {"largest": SPACE.largest(), "smallest": SPACE.smallest()}
KNOWN_MS = {"largest": 0.4, "smallest": 0.1}


def read(slowness):
    """The reading of a network of 0.2 ms on a machine that is slowed down as listed."""
    calls = iter(slowness)
    waits = []

    def measure(networks):
        factor = next(calls)
        true = {"network": 0.2, **KNOWN_MS}
        assert set(networks) == set(true)
        return {name: factor * ms for name, ms in true.items()}

    found = read_beside_anchors(ANCHORS["smallest"], measure, ANCHORS, KNOWN_MS, waits.append)
    return found, len(waits), list(calls)


def test_a_quiet_machine_is_read_once():
    assert read([1.0, 9.0]) == (0.2, 0, [9.0])
    assert read([1 + BUSY_DRIFT / 2, 9.0])[1] == 0


def test_a_busy_machine_is_read_again_when_it_is_quiet():
    found, waits, left = read([1.5, 1.4, 1.01, 9.0])
    assert found == 0.2 * 1.01
    assert waits == 2 and left == [9.0]


def test_the_quietest_reading_counts_and_the_user_is_told(capsys):
    found, waits, _ = read([1.5, 1.2, 1.4, 1.3])
    assert found == 0.2 * 1.2
    assert waits == READINGS - 1
    text = capsys.readouterr().out
    assert "1.20 times" in text and "scripts/build_latency_table.py" in text

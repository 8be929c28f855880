"""What several devices and hosts are refused, and what processes are told beside trainings."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from nas.data import Dataset, Split
from nas.errors import InputError
from nas.pipeline import orders
from nas.pipeline.orders import check_images, check_trains, order_images
from nas.runs.data import DataRecord, DataSource
from nas.system.backend import Compute
from tests.support.programs import is_refusal, run_program

HOSTS = Compute(data_parallel=True, coordinator="10.0.0.1:6400", processes=2)
SPLIT = Split(np.zeros((4, 16, 16, 3), np.uint8), np.arange(4, dtype=np.int32) % 2)
DATASET = Dataset("toy", SPLIT, SPLIT, ("a", "b"), 16, "0" * 16, False)


@pytest.mark.parametrize(
    ("compute", "devices"), [(Compute(data_parallel=True), 2), (HOSTS, 6), (Compute(), 1)]
)
def test_a_batch_that_the_devices_of_all_hosts_cannot_share_is_refused(
    compute: Compute, devices: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(orders, "check_starts", lambda asked: 2)
    monkeypatch.setattr(orders, "lead", lambda *arguments: SimpleNamespace(devices=6))
    check_trains(compute, {"--batch_size": 12})
    if devices == 1:
        check_trains(compute, {"--batch_size": 13})
        return
    with pytest.raises(InputError, match=f"--batch_size as a multiple of {devices}"):
        check_trains(compute, {"--batch_size": 13})


def test_images_in_memory_cannot_be_ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    assert order_images(DataSource("memory"), "smoke", 0) is None
    monkeypatch.setattr(orders, "leader", SimpleNamespace)
    with pytest.raises(InputError, match="a program handed over"):
        order_images(DataSource("memory"), "smoke", 0)


def test_processes_with_other_images_are_named_by_their_host() -> None:
    own = DataRecord.of(DATASET).fingerprint
    answers = [{"host": "one", "fingerprint": own}, {"host": "two", "fingerprint": "f" * 16}]
    check_images(SimpleNamespace(answers=lambda: answers[:1]), DATASET)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="the same images on all hosts") as caught:
        check_images(SimpleNamespace(answers=lambda: answers), DATASET)  # type: ignore[arg-type]
    assert caught.value.received == f"{'f' * 16} on two"


@pytest.mark.parametrize("program", ["nas.py", "main.py"])
@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("--process_id", "1", "--processes", "2"), "--coordinator HOST:PORT"),
        (("--process_id", "2", "--processes", "2", "--coordinator", "h:1"), "below --processes"),
        (
            ("--process_id", "1", "--processes", "2", "--coordinator", "h:1", "--seed", "3"),
            "--seed",
        ),
    ],
)
def test_a_process_that_follows_has_no_wishes_of_its_own(
    program: str, words: tuple[str, ...], text: str
) -> None:
    done = run_program(program, *words)
    assert done.exit_code == 2 and is_refusal(done.err) and text in done.err

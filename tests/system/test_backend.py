"""Starting the backend: what is refused before, what is asked of Keras, what is shown if it fails.

Keras itself is replaced: these tests are about the calls, and start no framework.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from functools import partial
from types import SimpleNamespace
from typing import Any

import pytest

from nas.errors import InputError
from nas.system.backend import Compute, forget_models, start
from nas.system.devices import WAITING

HOSTS = Compute(data_parallel=True, coordinator="10.0.0.1:6400", processes=2)
NATIVE_LINE = "a native library says something\n"


@dataclass
class FakeKeras:
    """Notes what is asked of Keras; its first operation writes to file descriptor 2."""

    failure: Exception | None = None
    policies: list[str] = field(default_factory=list)
    distributions: list[str] = field(default_factory=list)
    formats: list[str] = field(default_factory=list)
    devices: list[str] = field(default_factory=lambda: ["gpu:0", "gpu:1"])
    backend: str = "jax"
    precisions: list[tuple[str, str]] = field(default_factory=list)

    def module(self) -> SimpleNamespace:
        """What stands in for the package."""
        return SimpleNamespace(
            config=SimpleNamespace(
                set_dtype_policy=self.policies.append,
                set_floatx=self.formats.append,
                set_image_data_format=self.formats.append,
            ),
            distribution=SimpleNamespace(
                DataParallel=lambda: "all devices",
                set_distribution=self.distributions.append,
                list_devices=lambda: self.devices,
            ),
            backend=SimpleNamespace(backend=lambda: self.backend),
            ops=SimpleNamespace(zeros=self._zeros, convert_to_numpy=lambda value: value),
        )

    def _zeros(self, count: int) -> int:
        os.write(2, NATIVE_LINE.encode())
        if self.failure is not None:
            raise self.failure
        return count


@pytest.fixture
def keras(monkeypatch: pytest.MonkeyPatch) -> FakeKeras:
    fake = FakeKeras()
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    for name, value in WAITING.items():
        monkeypatch.setenv(name, value)  # what `start` sets is put back
    monkeypatch.setitem(sys.modules, "keras", fake.module())
    config = SimpleNamespace(update=lambda *setting: fake.precisions.append(setting))
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(config=config))
    monkeypatch.delenv("JAX_DEFAULT_MATMUL_PRECISION", raising=False)
    return fake


def test_what_native_libraries_say_is_hidden_while_all_is_well(
    keras: FakeKeras, capfd: pytest.CaptureFixture[str]
) -> None:
    start()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"


def test_what_native_libraries_say_is_shown_if_the_start_fails(
    keras: FakeKeras, capfd: pytest.CaptureFixture[str]
) -> None:
    keras.failure = RuntimeError("no device")
    with pytest.raises(InputError, match="RuntimeError: no device") as caught:
        start()
    assert caught.value.expected == "Keras to start on jax"
    os.write(2, b"after\n")
    assert capfd.readouterr().err == f"{NATIVE_LINE}after\n"


@pytest.mark.parametrize(
    ("precision", "policy"),
    [("none", "float32"), ("float16", "mixed_float16"), ("bfloat16", "mixed_bfloat16")],
)
def test_precision_is_the_policy_of_keras(precision: str, policy: str, keras: FakeKeras) -> None:
    start(Compute(mixed_precision=precision))
    assert keras.policies == [policy]
    assert keras.distributions == []


def test_data_parallel_divides_batches_over_all_devices(keras: FakeKeras) -> None:
    start(Compute(data_parallel=True))
    assert keras.distributions == ["all devices"]


def test_one_device_divides_no_batches(keras: FakeKeras) -> None:
    keras.devices = ["cpu:0"]
    with pytest.raises(InputError, match="two devices or more for --data_parallel") as caught:
        start(Compute(data_parallel=True))
    assert caught.value.received == "cpu:0" and keras.distributions == []


def test_networks_are_written_for_float32_and_channels_last_whatever_keras_json_says(
    keras: FakeKeras,
) -> None:
    start()
    assert keras.formats == ["float32", "channels_last"]


@pytest.mark.parametrize(
    ("backend", "compute", "expected", "received"),
    [
        ("theano", Compute(), "tensorflow, jax or torch", "'theano'"),
        ("tensorflow", Compute(data_parallel=True), "KERAS_BACKEND=jax", "tensorflow"),
        ("torch", Compute(data_parallel=True), "KERAS_BACKEND=jax", "torch"),
        ("torch", HOSTS, "KERAS_BACKEND=jax with --processes", "torch"),
    ],
)
def test_a_backend_that_cannot_do_it_is_refused_before_keras_is_asked(
    backend: str,
    compute: Compute,
    expected: str,
    received: str,
    keras: FakeKeras,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", backend)
    with pytest.raises(InputError) as caught:
        start(compute)
    assert expected in caught.value.expected
    assert caught.value.received == received
    assert keras.policies == []


def test_tensorflow_over_hosts_is_refused_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    with pytest.raises(InputError, match="with --processes") as caught:
        HOSTS.check()
    assert "keras/issues/20585" in caught.value.received


@pytest.mark.parametrize(
    "asked",
    [
        {"data_parallel": True, "processes": 2},
        {"data_parallel": True, "coordinator": "10.0.0.1:6400"},
        {"coordinator": "10.0.0.1:6400", "processes": 2},
    ],
)
def test_hosts_need_an_address_their_number_and_divided_batches(asked: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="--coordinator HOST:PORT and --processes"):
        Compute(**asked)


def test_processes_that_have_not_met_cannot_start(keras: FakeKeras) -> None:
    with pytest.raises(InputError, match="that have found each other"):
        start(HOSTS)


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="none, float16, bfloat16") as caught:
        Compute(mixed_precision="int8")
    assert "--mixed_precision" in caught.value.fix


def test_models_are_forgotten_only_where_keras_was_started(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleared: list[str] = []
    backend = SimpleNamespace(clear_session=lambda: cleared.append("session"))
    monkeypatch.setitem(sys.modules, "keras", SimpleNamespace(backend=backend))
    forget_models()
    assert cleared == ["session"]
    monkeypatch.delitem(sys.modules, "keras")
    forget_models()
    assert "keras" not in sys.modules


@dataclass
class FakeTensorFlow:
    """Notes how many threads an operation is divided over; at work, it refuses to change them."""

    at_work: bool = False
    threads: list[int] = field(default_factory=list)
    rounds_factors: bool = True

    def module(self) -> SimpleNamespace:
        """What stands in for the package."""
        experimental = SimpleNamespace(
            enable_op_determinism=lambda: None,
            enable_tensor_float_32_execution=partial(setattr, self, "rounds_factors"),
        )
        threading = SimpleNamespace(set_intra_op_parallelism_threads=self._set)
        return SimpleNamespace(
            config=SimpleNamespace(experimental=experimental, threading=threading),
            get_logger=lambda: SimpleNamespace(setLevel=lambda level: None),
        )

    def _set(self, count: int) -> None:
        if self.at_work:
            raise RuntimeError("threads cannot be modified after initialization")
        self.threads.append(count)


@pytest.mark.parametrize(
    ("image_size", "users_own", "at_work", "threads"),
    [
        (32, None, False, [1]),
        (33, None, False, []),
        (None, None, False, []),
        (32, "2", False, []),
        (32, None, True, []),
    ],
)
def test_only_operations_on_small_images_are_not_divided_over_threads(
    image_size: int | None,
    users_own: str | None,
    at_work: bool,
    threads: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeTensorFlow(at_work)
    monkeypatch.setitem(sys.modules, "keras", FakeKeras(backend="tensorflow").module())
    monkeypatch.setitem(sys.modules, "tensorflow", fake.module())
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    if users_own is not None:
        monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", users_own)
    start(Compute(), image_size)
    assert fake.threads == threads


def test_products_of_float32_keep_all_digits_on_jax(keras: FakeKeras) -> None:
    start()
    assert keras.precisions == [("jax_default_matmul_precision", "highest")]


def test_a_users_own_precision_of_products_stays(
    keras: FakeKeras, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JAX_DEFAULT_MATMUL_PRECISION", "default")
    start()
    assert keras.precisions == []


def test_products_of_float32_keep_all_digits_on_tensorflow(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fake = FakeTensorFlow()
    monkeypatch.setenv("KERAS_BACKEND", "tensorflow")
    monkeypatch.setitem(sys.modules, "keras", FakeKeras(backend="tensorflow").module())
    monkeypatch.setitem(sys.modules, "tensorflow", fake.module())
    start()
    assert fake.rounds_factors is False


def test_products_of_float32_keep_all_digits_on_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    matmul, cudnn = SimpleNamespace(allow_tf32=True), SimpleNamespace(allow_tf32=True)
    backends = SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=cudnn)
    monkeypatch.setitem(sys.modules, "keras", FakeKeras(backend="torch").module())
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(backends=backends))
    start()
    assert not matmul.allow_tf32 and not cudnn.allow_tf32

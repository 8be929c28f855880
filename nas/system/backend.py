"""Starts Keras and its backend quietly and with deterministic kernels."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from nas.errors import InputError
from nas.ranges import check_count
from nas.system import hosts
from nas.system.chosen_backend import VARIABLE, chosen_backend
from nas.system.devices import allow_waiting, divide_batches


def set_environment() -> None:
    """Variables that libraries read when they are imported; a user's own values stay."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


@contextlib.contextmanager
def native_stderr_held() -> Iterator[None]:
    """Keeps what native libraries write to file descriptor 2; shows it if the block fails.

    TensorFlow reports the absence of a GPU there as an error, before any log level counts.
    """
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            os.write(2, held.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


MIXED_PRECISION = ("none", "float16", "bfloat16")
# Up to this size, dividing an operation over threads costs more than it saves: see
# docs/log.md, "One thread an operation".
SMALL_IMAGE_PIXELS = 32


@dataclass(frozen=True)
class Compute:
    """What Keras computes with.

    Args:
        mixed_precision: One of `MIXED_PRECISION`: what products are computed in; weights and
            statistics stay float32.
        data_parallel: Whether batches are divided over all devices.
        coordinator: HOST:PORT at which the processes of other hosts find the one that leads; None
            where there are none.
        processes: That train together, one a host, 1 or more.

    Raises:
        InputError: An unknown precision, an address that is none, or one without processes.
    """

    mixed_precision: str = "none"
    data_parallel: bool = False
    coordinator: str | None = None
    processes: int = 1

    def __post_init__(self) -> None:
        if self.mixed_precision not in MIXED_PRECISION:
            raise InputError(
                f"mixed precision as one of {', '.join(MIXED_PRECISION)}",
                repr(self.mixed_precision),
                "correct --mixed_precision",
            )
        check_count("processes", self.processes)
        if self.coordinator is not None:
            hosts.address_of(self.coordinator)
        has_others = self.processes > 1
        if (self.coordinator is not None) != has_others or (has_others and not self.data_parallel):
            raise InputError(
                "--data_parallel, --coordinator HOST:PORT and --processes of 2 or more together",
                f"--{'' if self.data_parallel else 'no'}data_parallel, --coordinator "
                f"{self.coordinator} and --processes {self.processes}",
                "give all three, or leave --coordinator and --processes out",
            )

    @property
    def alone(self) -> Compute:
        """The same without other hosts, which may have one device each."""
        if self.processes == 1:
            return self
        return replace(self, data_parallel=False, coordinator=None, processes=1)

    def check(self) -> None:
        """Refuses what the chosen backend cannot do, before anything heavy is imported.

        Raises:
            InputError: An unknown backend, or data parallelism without JAX.
        """
        chosen = chosen_backend()
        chosen.check()
        if self.processes > 1 and chosen.name != "jax":
            why = {
                "tensorflow": "tensorflow, whose MultiWorkerMirroredStrategy fails under Keras 3 "
                "(https://github.com/keras-team/keras/issues/20585)",
            }
            raise InputError(
                "KERAS_BACKEND=jax with --processes, the backend whose `keras.distribution` "
                "divides batches over hosts",
                why.get(chosen.name, chosen.name),
                "set the variable, or train on one host",
            )
        if self.data_parallel and chosen.name != "jax":
            raise InputError(
                "KERAS_BACKEND=jax with --data_parallel, the backend whose `keras.distribution` "
                "divides batches",
                chosen.name,
                "set the variable, or leave the flag out",
            )


def start(compute: Compute | None = None, image_size: int | None = None) -> None:
    """Imports Keras, wakes its devices and asks for deterministic kernels.

    Same seed and same steps then give the same bits, which resuming relies on.

    Args:
        compute: Precision and devices; None for float32 on one.
        image_size: Height and width in pixels of what is trained, for TensorFlow's threads on the
            processor; None leaves them as they are.

    Raises:
        InputError: The chosen backend cannot do it, is not installed, or fails when it starts.
    """
    compute = compute or Compute()
    _quietly(partial(_start, compute, image_size), compute)


def import_keras() -> None:
    """Imports Keras on the chosen backend, and leaves its settings as they are.

    Raises:
        InputError: The backend is unknown, not installed, or fails when it is imported.
    """
    _quietly(partial(importlib.import_module, "keras"), Compute())


def _quietly(work: Callable[[], object], compute: Compute) -> None:
    """Does what needs the backend; whatever it raises is an error for users."""
    chosen = chosen_backend()
    compute.check()
    chosen.check_here()
    set_environment()
    os.environ[VARIABLE] = chosen.name
    if compute.data_parallel:
        allow_waiting()
    try:
        with native_stderr_held():
            work()
    except InputError:
        raise
    # A library that cannot be used here raises what it likes, and some end the process.
    except (Exception, SystemExit) as error:
        raise not_startable(chosen.name, f"{type(error).__name__}: {error}") from error


def not_startable(name: str, received: str) -> InputError:
    """The error of a backend that is installed and does not work.

    Args:
        name: Of the backend.
        received: What it said.
    """
    return InputError(
        f"Keras to start on {name}",
        received,
        f"see what `{VARIABLE}={name} python -c 'import keras'` says and install {name} again, "
        f"or set {VARIABLE} to another backend",
    )


def _start(compute: Compute, image_size: int | None) -> None:
    import keras

    # Networks are written for these two, whatever a user's keras.json is made for.
    keras.config.set_floatx("float32")
    keras.config.set_image_data_format("channels_last")
    mixed = compute.mixed_precision
    keras.config.set_dtype_policy("float32" if mixed == "none" else f"mixed_{mixed}")
    if compute.processes > 1:
        hosts.join(compute.processes, compute.mixed_precision, image_size)
    if compute.data_parallel:
        divide_batches()

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()
        # A sweep builds one supernet after another; each traces its own functions.
        tf.get_logger().setLevel("ERROR")
        if image_size is not None and image_size <= SMALL_IMAGE_PIXELS:
            _undivided_operations(tf)
    _exact_products(keras.backend.backend())
    keras.ops.convert_to_numpy(keras.ops.zeros(1))


def _exact_products(name: str) -> None:
    """Products of float32 are products of float32, also on GPUs that would round their factors.

    Some keep 10 of 23 bits (TensorFloat-32). An exported file would not compute what Keras does
    then. Whoever wants speed for precision asks for it by --mixed_precision.

    Args:
        name: Of the backend.
    """
    if name == "jax" and "JAX_DEFAULT_MATMUL_PRECISION" not in os.environ:
        import jax

        jax.config.update("jax_default_matmul_precision", "highest")
    elif name == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_tensor_float_32_execution(False)
    elif name == "torch":
        import torch

        torch.backends.cuda.matmul.allow_tf32 = False
        torch.backends.cudnn.allow_tf32 = False


def _undivided_operations(tf: Any) -> None:
    """Runs several operations side by side, each by one thread; a user's own number stays.

    Args:
        tf: TensorFlow.
    """
    if "TF_NUM_INTRAOP_THREADS" in os.environ:
        return
    # Where TensorFlow is at work already, it keeps the threads that it has.
    with contextlib.suppress(RuntimeError):
        tf.config.threading.set_intra_op_parallelism_threads(1)


def forget_models() -> None:
    """Frees what models of this process hold; starts nothing where no backend was started."""
    if "keras" in sys.modules:
        import keras

        keras.backend.clear_session()

"""A process that trains beside the one that a user started, and keeps nothing."""

from __future__ import annotations

import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from latency.device import strict_json
from latency.errors import LatencyError
from nas.data import Dataset
from nas.errors import InputError
from nas.pipeline import orders
from nas.pipeline.inputs import load_data
from nas.pipeline.supernet import stage_of_run
from nas.recipes.scales import SCALES
from nas.runs.config import RunConfig, read_config
from nas.runs.data import DataRecord, DataSource
from nas.runs.folder import RunFolder
from nas.search_space.files import load_blocks
from nas.system import backend, hosts
from nas.system.backend import Compute
from nas.system.backend_check import check_starts
from nas.system.console import out
from nas.system.interrupt import Interrupter
from nas.system.wire import Message, refusal
from nas.training.orders import ORDER as TRAINING
from nas.training.orders import asked_by


@dataclass
class Following:
    """Does orders until the leader needs this process no more.

    Args:
        compute: With the leader's address.
        process_id: Of this process, 1 or more.
        interrupter: Asked whether to stop; all processes stop together.
    """

    compute: Compute
    process_id: int
    interrupter: Interrupter
    _dataset: Dataset | None = field(default=None, init=False)

    def run(self) -> None:
        """All orders.

        Raises:
            InputError: The leader refuses this process, or has gone.
            Interrupted: A signal came to one of the processes; the leader has saved the state.
        """
        self.compute.check()
        devices = check_starts(self.compute)
        coordinator = str(self.compute.coordinator)
        out.print(f"Process {self.process_id}: looking for {coordinator} ...", markup=False)
        following = hosts.Follower(
            coordinator, self.compute.processes, self.process_id, orders.greeting(devices)
        )
        out.print(f"Process {self.process_id} takes part.", markup=False)
        for order in following.orders():
            try:
                answer = self._do(order)
            except LatencyError as error:
                following.answer(refusal(error))
                if order.kind == orders.IMAGES:
                    raise
                # A loss that is lost is so everywhere, and the leader tells of it.
                out.print(f"Process {self.process_id}: {error}", markup=False)
                continue
            if answer is not None:
                following.answer(answer)

    def _do(self, order: Message) -> Message | None:
        """Does an order; the answer to it, where it wants one."""
        if order.kind == orders.IMAGES:
            return self._read(order)
        if order.kind == "start":
            hosts.follow_at(str(order.facts["address"]), self.process_id)
            compute = Compute(
                str(order.facts["mixed_precision"]),
                True,
                self.compute.coordinator,
                self.compute.processes,
            )
            backend.start(compute, order.facts["image_size"])
            return None
        with tempfile.TemporaryDirectory(prefix="following-") as made:
            if order.kind == TRAINING:
                self._train(order, Path(made))
            elif order.kind == orders.SUPERNET:
                self._train_supernet(order, Path(made))
            else:
                raise InputError("an order of this version", order.kind, "start all anew")
        return None

    @property
    def _images(self) -> Dataset:
        if self._dataset is None:
            raise InputError("images before a training", "none", "start all processes anew")
        return self._dataset

    def _read(self, order: Message) -> Message:
        source = strict_json.decode(DataSource, order.facts["source"], "an order")
        scale = SCALES[str(order.facts["scale"])]
        self._dataset = load_data(source, scale, int(order.facts["seed"]))
        record = DataRecord.of(self._dataset)
        facts = {"fingerprint": record.fingerprint, "host": socket.gethostname()}
        return Message("images", facts)

    def _train(self, order: Message, folder: Path) -> None:
        from nas.training.trainer import trained

        asked, control = asked_by(order, self._images, folder, self.interrupter)
        out.print(f"Process {self.process_id}: training ...", markup=False)
        try:
            trained(asked, self._images, control)
        finally:
            backend.forget_models()

    def _train_supernet(self, order: Message, path: Path) -> None:
        for name, content in order.files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
        folder, config = RunFolder(path), read_config(path)
        (path / "checkpoints").mkdir(exist_ok=True)
        if not isinstance(config, RunConfig):
            raise InputError("the run of a search", config.kind, "start all processes anew")
        load_blocks(config.blocks)
        target = order.facts["target"]
        stage_of_run(folder, config, self._images, self.interrupter, target).train()

"""The files that a trained network is exported to: made, compared on every image, and timed.

Each file is a stage of its own with a record below exported/. Nothing here trains: a run that is
trained already can be exported at any time.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from latency import atomic
from latency.device.host import Host, current_host
from nas.architecture.lowering import lower_architecture
from nas.architecture.operations import Op, has_formats
from nas.architecture.spec import Architecture
from nas.architecture.weights import random_weights
from nas.builders.onnx_model import to_onnx_bytes
from nas.builders.onnx_quantized import emulates_formats
from nas.data import Dataset
from nas.deployment.flips import earlier_flips, flips
from nas.deployment.formats import (
    EXPORT_FORMATS,
    INT8_BLOCKS,
    REFERENCE,
    AskedExports,
    ExportFormat,
    Source,
)
from nas.deployment.int8 import calibration_images, int8_settings, to_int8
from nas.deployment.int8_blocks import joined, nodes_of_blocks
from nas.deployment.metadata import (
    is_of_earlier_version,
    metadata_for,
    metadata_of,
    with_metadata,
)
from nas.deployment.records import (
    ExportedFile,
    Exports,
    ExportTimings,
    Flip,
    Int8Blocks,
    Int8Settings,
)
from nas.deployment.scores import keras_scores, onnx_scores, parity, shares
from nas.deployment.script import SCRIPT_NAME, classify_script
from nas.deployment.timing import recommended, sha256, timed
from nas.errors import InputError
from nas.hardware.tables import DEPLOYED
from nas.pipeline.int8_blocks import BlockChoice
from nas.recipes.scales import Scale
from nas.runs.folder import RunFolder, disk_error
from nas.system.console import bar, out

KERAS_FILE = "model.keras"
EMULATED = (
    "ONNX Runtime has no whole-number operators for this network's formats and computes them in "
    "float32: no milliseconds are measured, and no speed-up is promised. Weight bits, bit "
    "operations and bytes say what hardware with these formats needs"
)
BYTES = (
    "ONNX Runtime multiplies this network's numbers as bytes: the milliseconds are those of 8 bits "
    "on this machine, and formats of fewer bits save none of them here"
)


@dataclass(frozen=True)
class Deployment:
    """The exported files of one run.

    Args:
        folder: Of the run.
        architecture: The network.
        dataset: Images; training images calibrate, evaluation images only judge.
        asked: What files are asked for now; others that the run has already stay.
        seed: Of the choice of calibration images.
        is_for_here: Whether the file is for this machine, and is timed here.
        scale: The size of the job.
    """

    folder: RunFolder
    architecture: Architecture
    dataset: Dataset
    asked: AskedExports
    seed: int
    is_for_here: bool
    scale: Scale

    def check(self) -> None:
        """Tries with random weights what can fail, before minutes of training.

        Raises:
            LatencyError: A format, its settings or an operation of the network.
        """
        self.asked.check()
        if has_formats(self._ops):
            self._check_formats()
        if INT8_BLOCKS in self.asked.formats and not self.is_for_here:
            raise InputError(
                "--int8_blocks for this machine, where blocks are measured",
                "--device, another one",
                "leave --int8_blocks out",
            )
        if not any(EXPORT_FORMATS[name].is_quantized for name in self.asked.formats):
            return
        settings = self._settings
        network = to_onnx_bytes(self.architecture, random_weights(self.architecture))
        to_int8(network, replace(settings, images=1), self.dataset.train)

    @property
    def _ops(self) -> tuple[Op, ...]:
        return tuple(op for layer in lower_architecture(self.architecture) for op in layer.ops)

    def _check_formats(self) -> None:
        """Refuses files that cannot hold number formats, and formats that nothing here can run."""
        for name in self.asked.formats:
            if name != REFERENCE:
                raise InputError(
                    f"--export {name} of a network whose numbers are float32",
                    "number formats in its layers, which model.onnx has as they are",
                    f"leave {name} out",
                )
        network = to_onnx_bytes(self.architecture, random_weights(self.architecture))
        onnx_scores(network, self.dataset.evaluation.part(np.arange(1)))

    def bring_up_to_date(self) -> None:
        """Lets a file of an earlier version say what this version's files say; same weights.

        Raises:
            LatencyError: A file of the run is missing or was changed, or the disk is full.
        """
        import onnx

        data = self._onnx
        if not is_of_earlier_version(data):
            metadata_of(data, str(self._onnx_path))
            return
        metadata = metadata_for(self.architecture, self.dataset, self.folder.run_id)
        renewed = with_metadata(onnx.ModelProto.FromString(data), metadata)
        metadata_of(renewed, str(self._onnx_path))
        self._write(self._onnx_path, renewed)
        out.print(
            f"{self._onnx_path.name} is of an earlier version. Its metadata were written anew; "
            "its weights are the same."
        )

    def run(self) -> Exports:
        """Makes what is missing, compares and times it, and writes classify.py.

        Raises:
            LatencyError: A file of the run is missing or was changed, or the disk is full.
        """
        self.bring_up_to_date()
        rows: list[Mapping[str, Any]] = []
        files = []
        for name in EXPORT_FORMATS:
            found = self._file(name)
            if found is not None:
                files.append(found[0])
                rows += found[1]
        self._write_flips(rows)
        self._write_script()
        timings = self._timings(files)
        best, advice = recommended(tuple(files), timings)
        return Exports(
            files=tuple(files),
            timings=timings,
            recommended=best,
            advice=advice,
            int8_blocks=self._earlier_choice if any(f.name == INT8_BLOCKS for f in files) else None,
        )

    # --- model.onnx -----------------------------------------------------------------------

    @property
    def _onnx_path(self) -> Path:
        return self.folder.path / EXPORT_FORMATS[REFERENCE].file

    @property
    def _onnx(self) -> bytes:
        try:
            return self._onnx_path.read_bytes()
        except OSError as error:
            raise InputError(
                f"the exported network {self._onnx_path}",
                str(error.strerror or error),
                "put it back, or train anew with --restart",
            ) from None

    # --- one file -------------------------------------------------------------------------

    def _file(self, name: str) -> tuple[ExportedFile, list[Mapping[str, Any]]] | None:
        """A format's record and its flips: those that there are, or made now; None for none."""
        kind = EXPORT_FORMATS[name]
        is_asked = name in self.asked.formats
        there = self._record(name)
        if there is not None and self._is_current(there, kind, is_asked):
            if there.host_fingerprint not in (None, current_host().fingerprint):
                return self._judged_here(name, kind, there)
            rows = self._earlier_flips.get(name, [])
            if there.parity is None or len(rows) == there.parity.flips:
                return there, rows
        if not is_asked:
            if there is not None:
                out.print(
                    f"{kind.file} is not that of {self._onnx_path.name} any more, and is left "
                    f"out: --export {name} makes it again.",
                    markup=False,
                )
            return None
        return self._made(name, kind)

    def _record(self, name: str) -> ExportedFile | None:
        has = self.folder.has(ExportedFile, name=name)
        return self.folder.read(ExportedFile, name=name) if has else None

    def _is_current(self, there: ExportedFile, kind: ExportFormat, is_asked: bool) -> bool:
        """Whether a file is the one that was judged, of this model.onnx, and made as asked."""
        path = self.folder.path / kind.file
        if not path.is_file() or sha256(path.read_bytes()) != there.file_sha256:
            return False
        if there.source_sha256 not in (None, sha256(self._onnx)):
            return False
        can_compare = not kind.missing() and (self.folder.path / KERAS_FILE).is_file()
        if is_asked and there.parity is None and can_compare:
            return False
        if there.int8 is None or not is_asked:
            return True
        choice = self._earlier_choice if kind is EXPORT_FORMATS[INT8_BLOCKS] else None
        if choice is not None and not choice.is_told:
            return False
        wanted = self._settings
        if self.asked.calibration_images is None:
            wanted = replace(wanted, images=there.int8.images)
        return wanted == there.int8

    def _made(self, name: str, kind: ExportFormat) -> tuple[ExportedFile, list[Mapping[str, Any]]]:
        source = Source(
            self._onnx,
            self.folder.path / KERAS_FILE,
            metadata_of(self._onnx, str(self._onnx_path)),
            self.dataset,
            self._settings,
            self._chosen_nodes() if name == INT8_BLOCKS else None,
        )
        data = source.onnx if name == REFERENCE else kind.make(source)
        if name != REFERENCE:
            self._write(self.folder.path / kind.file, data)
        record, found = self._judged(name, kind, data)
        self.folder.write(record, name=name)
        return record, [dataclasses.asdict(flip) for flip in found]

    def _judged_here(
        self, name: str, kind: ExportFormat, there: ExportedFile
    ) -> tuple[ExportedFile, list[Mapping[str, Any]]]:
        """A file of another machine, whose ONNX Runtime may round otherwise, as it runs here."""
        data = (self.folder.path / kind.file).read_bytes()
        record, found = self._judged(name, kind, data)
        record = replace(record, int8=there.int8)
        self.folder.write(record, name=name)
        return record, [dataclasses.asdict(flip) for flip in found]

    def _chosen_nodes(self) -> tuple[str, ...]:
        """Nodes of the blocks that run as int8, chosen now or by an earlier call."""
        found, fingerprint = self._earlier_choice, current_host().fingerprint
        wanted = (sha256(self._onnx), fingerprint, self._settings)
        is_same = found and (found.source_sha256, found.host_fingerprint, found.int8) == wanted
        if found is None or not is_same or not found.is_told:
            train, plans = self.dataset.train, self.scale.measuring
            choice = BlockChoice(
                self._onnx, self.architecture, train, self._settings, plans, fingerprint
            )
            found = choice.chosen()
            self.folder.write(found)
        return joined(nodes_of_blocks(self._onnx), found.chosen)

    @property
    def _earlier_choice(self) -> Int8Blocks | None:
        return self.folder.read(Int8Blocks) if self.folder.has(Int8Blocks) else None

    @cached_property
    def _settings(self) -> Int8Settings:
        host: Host | None = current_host() if self.is_for_here else None
        images = calibration_images(self.asked.calibration_images, len(self.dataset.train.labels))
        return int8_settings(images, self.seed, host)

    def _judged(
        self, name: str, kind: ExportFormat, data: bytes
    ) -> tuple[ExportedFile, list[Flip]]:
        """A file with its accuracy on all evaluation images, and where Keras says otherwise."""
        split = self.dataset.evaluation
        record = ExportedFile(
            name=name,
            file=kind.file,
            file_bytes=len(data),
            file_sha256=sha256(data),
            source_sha256=None if name == REFERENCE else sha256(self._onnx),
            top1=None,
            top5=None,
            evaluation_images=len(split.labels),
            parity=None,
            int8=self._settings if kind.is_quantized else None,
            note=kind.missing(),
            host_fingerprint=current_host().fingerprint,
        )
        if record.note:
            return record, []
        with bar(f"{kind.file} on all evaluation images") as shown:
            scores = kind.scores(data, split, shown.update)
        top1, top5 = shares(scores, split.labels)
        record = replace(record, top1=top1, top5=top5)
        expected = self._keras_scores
        if expected is None:
            note = f"{KERAS_FILE} is gone, with which it would be compared"
            return replace(record, note=note), []
        found = parity(expected, scores, len(data))
        note = ""
        if has_formats(self._ops):
            note = EMULATED if emulates_formats(data) else BYTES
        return replace(record, parity=found, note=note), flips(name, expected, scores, split.labels)

    @cached_property
    def _keras_scores(self) -> np.ndarray | None:
        """Of model.keras on all evaluation images; None where the file is gone."""
        path = self.folder.path / KERAS_FILE
        if not path.is_file():
            return None
        import keras

        model = keras.saving.load_model(path, compile=False)
        with bar(f"{KERAS_FILE} on all evaluation images") as shown:
            return keras_scores(model.predict_on_batch, self.dataset.evaluation, shown.update)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            atomic.write_bytes(path, data)
        except OSError as error:
            raise disk_error(path, error) from error

    # --- what stands beside the files -----------------------------------------------------

    @cached_property
    def _earlier_flips(self) -> dict[str, list[Mapping[str, Any]]]:
        return earlier_flips(self.folder.path / Flip.FILE)

    def _write_flips(self, rows: list[Mapping[str, Any]]) -> None:
        if rows:
            self.folder.write_csv(Flip.FILE, rows)
        else:
            (self.folder.path / Flip.FILE).unlink(missing_ok=True)

    def _write_script(self) -> None:
        path = self.folder.path / SCRIPT_NAME
        preparation = self.dataset.preparation
        if preparation is None:
            path.unlink(missing_ok=True)
            out.print(f"No {SCRIPT_NAME}: nobody knows how these images were made of their files.")
            return
        self._write(path, classify_script(preparation).encode("utf-8"))

    def _timings(self, files: list[ExportedFile]) -> ExportTimings | None:
        """ONNX files next to each other; None where there is one, or they run elsewhere."""
        known = {f.name: f.file_sha256 for f in files if EXPORT_FORMATS[f.name].is_onnx}
        if len(known) < 2 or not self.is_for_here:
            return None
        fingerprint = current_host().fingerprint
        if self.folder.has(ExportTimings):
            there = self.folder.read(ExportTimings)
            measured = {file.name: file.file_sha256 for file in there.files}
            # What could not be told may be told by now.
            if there.is_told and (there.host_fingerprint, measured) == (fingerprint, known):
                return there
        contents = {
            f.name: (self.folder.path / f.file).read_bytes() for f in files if f.name in known
        }
        plans = self.scale.measuring
        with bar("Exported files timed next to each other") as shown:
            found = timed(
                contents,
                DEPLOYED,
                plans.certificate,
                plans.export_rule,
                fingerprint,
                lambda done, most, left: shown.update(
                    done, most, note=f"{left:.0f} s left at most"
                ),
            )
        self.folder.write(found)
        return found

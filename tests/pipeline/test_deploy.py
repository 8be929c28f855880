"""The stage of the exported files: what is made, kept, made again, listed and refused."""

from __future__ import annotations

import csv
import errno
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from latency import atomic
from latency.device.host import current_host
from nas.architecture import text as arch_text
from nas.architecture.spec import Architecture
from nas.architecture.weights import random_weights
from nas.builders.keras_model import portable_model
from nas.builders.onnx_model import to_onnx
from nas.data.preparation import Preparation
from nas.deployment.export import export
from nas.deployment.formats import EXPORT_FORMATS, AskedExports, ExportFormat
from nas.deployment.int8_blocks import nodes_of_blocks
from nas.deployment.metadata import MetadataError, metadata_for, metadata_of, read_metadata
from nas.deployment.records import ExportedFile, ExportTimings, Flip, Int8Blocks, Int8Candidate
from nas.deployment.scores import onnx_scores
from nas.deployment.script import SCRIPT_NAME
from nas.deployment.timing import sha256
from nas.errors import InputError
from nas.pipeline import deploy
from nas.pipeline.deploy import Deployment
from nas.pipeline.forgetting import forget_exports
from nas.pipeline.int8_blocks import BlockChoice
from nas.recipes.scales import SMOKE
from nas.runs.folder import RunFolder
from nas.selection.goals import Goal
from tests.support.run_config import run_config
from tests.support.toy import toy_space
from tests.support.toy_stages import exported_file, toy_dataset

NETWORK = toy_space().smallest()
WEIGHTS = random_weights(NETWORK)
DATASET = replace(toy_dataset(), preparation=Preparation(32))
INT8 = AskedExports(("fp32", "int8"))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run whose network is exported, and nothing after that; tests take copies."""
    folder = RunFolder.create(
        tmp_path_factory.mktemp("deploy") / "run", run_config(Goal(target=0.7)), "deploy"
    )
    metadata = metadata_for(NETWORK, DATASET, folder.run_id)
    images = DATASET.evaluation.images[:2].astype(np.float32)
    export(portable_model(NETWORK, WEIGHTS), NETWORK, metadata, folder.path, images)
    return folder.path


@pytest.fixture
def own_keras(exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The stage of a copy of that run; nothing is timed."""
    monkeypatch.setattr(deploy, "timed", made_up_timings)
    folder = RunFolder(shutil.copytree(exported, tmp_path / "run"))
    return Deployment(folder, NETWORK, DATASET, AskedExports(), 0, True, SMOKE)


@pytest.fixture
def stage(own_keras: Deployment, monkeypatch: pytest.MonkeyPatch) -> Deployment:
    """The same, where Keras' scores are known already: they are those of model.onnx."""
    scores = onnx_scores((own_keras.folder.path / "model.onnx").read_bytes(), DATASET.evaluation)
    monkeypatch.setattr(Deployment, "_keras_scores", scores)
    return own_keras


def made_up_timings(files: dict[str, bytes], *rest: Any) -> ExportTimings:
    from tests.deployment.test_timing import timings

    found = timings("faster", 0.5, 0.49, 0.51)
    hashed = tuple(replace(file, file_sha256=sha256(files[file.name])) for file in found.files)
    return replace(found, files=hashed, host_fingerprint=current_host().fingerprint)


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of formats that are judged from now on."""
    found: list[str] = []
    own: Callable[..., Any] = Deployment._judged

    def judge(self: Deployment, name: str, *rest: Any) -> Any:
        found.append(name)
        return own(self, name, *rest)

    monkeypatch.setattr(Deployment, "_judged", judge)
    return found


def test_the_file_is_compared_on_every_evaluation_image(own_keras: Deployment) -> None:
    stage = own_keras
    found = stage.run()
    (own,) = found.files
    assert own.parity is not None and own.parity.images == len(DATASET.evaluation.labels) == 24
    assert own.parity.flips == 0 and own.parity.top1_agreement == 1.0
    assert (own.file, own.int8, own.source_sha256) == ("model.onnx", None, None)
    assert (found.timings, found.recommended, found.advice) == (None, None, "")
    assert not (stage.folder.path / Flip.FILE).exists(), "there is nothing to list"
    assert (stage.folder.path / SCRIPT_NAME).is_file()
    assert read_metadata(stage.folder.path / "model.onnx").run_id == stage.folder.run_id


def test_what_is_there_is_read_and_the_same_comes_out(stage: Deployment, judged: list[str]) -> None:
    first = replace(stage, asked=INT8).run()
    assert judged == ["fp32", "int8"]
    assert replace(stage, asked=INT8).run() == first and judged == ["fp32", "int8"]
    # What is not asked for again stays among the run's files.
    assert stage.run() == first and judged == ["fp32", "int8"]
    assert first.recommended == "int8" and "It is recommended" in first.advice


def test_what_was_killed_between_a_file_and_its_record_is_made_again(
    stage: Deployment, judged: list[str]
) -> None:
    first = replace(stage, asked=INT8).run()
    (stage.folder.path / "exported" / "int8.json").unlink()
    (stage.folder.path / "model_int8.onnx").write_bytes(b"half of it")
    again = replace(stage, asked=INT8).run()
    assert again == first and judged == ["fp32", "int8", "int8"]


def test_int8_is_made_again_where_other_images_are_asked_for(
    stage: Deployment, judged: list[str]
) -> None:
    def asked(count: int | None) -> ExportedFile:
        wish = replace(INT8, calibration_images=count)
        found = replace(stage, asked=wish).run().of("int8")
        assert found is not None and found.int8 is not None
        assert count is None or found.int8.images == count
        return found

    first = asked(5)
    assert asked(5) == first and asked(None) == first and judged == ["fp32", "int8"]
    assert asked(7) != first and judged == ["fp32", "int8", "int8"]


def test_files_of_another_machine_are_judged_and_timed_here_and_not_made_again(
    stage: Deployment, judged: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = replace(current_host(), cpu_model="of a server")
    with monkeypatch.context() as there:
        there.setattr(deploy, "current_host", lambda: server)
        first = replace(stage, asked=INT8).run()
    assert {file.host_fingerprint for file in first.files} == {server.fingerprint}
    path = stage.folder.path / "model_int8.onnx"
    made, judged[:] = path.stat().st_mtime_ns, []
    found = stage.run()
    assert judged == ["fp32", "int8"] and path.stat().st_mtime_ns == made
    assert {file.host_fingerprint for file in found.files} == {current_host().fingerprint}
    assert [file.int8 for file in found.files] == [file.int8 for file in first.files]
    assert [file.top1 for file in found.files] == [file.top1 for file in first.files]
    assert found.timings is not None
    assert found.timings.host_fingerprint == current_host().fingerprint
    judged[:] = []
    assert stage.run() == found and judged == []


def test_a_file_of_other_weights_is_no_file_of_this_network(
    stage: Deployment, judged: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    replace(stage, asked=INT8).run()
    (stage.folder.path / "model.onnx").write_bytes(exported_file(NETWORK, seed=5))
    assert [file.name for file in stage.run().files] == ["fp32"]
    assert "--export int8 makes it again" in capsys.readouterr().out
    assert [file.name for file in replace(stage, asked=INT8).run().files] == ["fp32", "int8"]
    assert judged == ["fp32", "int8", "fp32", "int8"]


def test_every_image_with_another_class_is_a_row_of_a_file(
    stage: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = np.array(stage._keras_scores)
    scores[[3, 17]] *= -1
    monkeypatch.setattr(Deployment, "_keras_scores", scores)
    found = replace(stage, asked=INT8).run()
    assert found.parity is not None and found.parity.flips == 2
    with (stage.folder.path / Flip.FILE).open() as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["format"], row["image"]) for row in rows if row["format"] == "fp32"] == [
        ("fp32", "3"),
        ("fp32", "17"),
    ]
    row = rows[0]
    assert row["keras_class"] != row["file_class"]
    assert float(row["keras_margin"]) > 0 and float(row["file_margin"]) > 0
    assert int(row["label"]) == DATASET.evaluation.labels[3]
    # They stay where the files are not compared again, and are found again where they are lost.
    before = (stage.folder.path / Flip.FILE).read_bytes()
    assert replace(stage, asked=INT8).run() == found
    assert (stage.folder.path / Flip.FILE).read_bytes() == before
    (stage.folder.path / Flip.FILE).unlink()
    replace(stage, asked=INT8).run()
    assert (stage.folder.path / Flip.FILE).read_bytes() == before


def earlier_version(path: Path) -> onnx.ModelProto:
    """model.onnx as it was written before it said how images are prepared."""
    texts = {
        "architecture": arch_text.to_text(NETWORK),
        "class_names": "[]",
        "input": "i",
        "output": "o",
    }
    made = to_onnx(NETWORK, WEIGHTS, metadata=texts)
    path.write_bytes(made.SerializeToString())
    return made


def test_a_run_of_an_earlier_version_gets_the_metadata_and_keeps_its_weights(
    stage: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    path = stage.folder.path / "model.onnx"
    before = earlier_version(path)
    found = stage.run()
    assert found.parity is not None and found.parity.flips == 0
    assert read_metadata(path).class_names == DATASET.class_names
    assert onnx.ModelProto.FromString(path.read_bytes()).graph == before.graph
    assert "its weights are the same" in " ".join(capsys.readouterr().out.split())


def test_a_file_that_somebody_changed_is_refused(stage: Deployment) -> None:
    path = stage.folder.path / "model.onnx"
    made = onnx.ModelProto.FromString(path.read_bytes())
    made.graph.initializer[-1].raw_data = bytes(len(made.graph.initializer[-1].raw_data))
    path.write_bytes(made.SerializeToString())
    with pytest.raises(MetadataError, match="changed afterwards"):
        stage.run()
    path.unlink()
    with pytest.raises(InputError, match="train anew with --restart"):
        stage.run()


def test_without_the_keras_file_accuracy_is_known_and_parity_is_not(
    own_keras: Deployment,
) -> None:
    stage = own_keras
    (stage.folder.path / "model.keras").unlink()
    (own,) = stage.run().files
    assert own.top1 is not None and own.parity is None and "model.keras is gone" in own.note
    portable_model(NETWORK, WEIGHTS).save(stage.folder.path / "model.keras")
    (again,) = replace(stage).run().files
    assert again.parity is not None and again.parity.flips == 0, "it is back"


def test_a_file_that_nothing_here_runs_is_written_and_says_so(
    stage: Deployment, judged: list[str]
) -> None:
    reason = ["no interpreter"]
    kind = ExportFormat(
        "model.own", lambda source: source.onnx, onnx_scores, missing=lambda: reason[0]
    )
    EXPORT_FORMATS.register("own", kind)
    try:
        asked = replace(stage, asked=AskedExports.of("own"))
        own = asked.run().of("own")
        assert own is not None and (own.top1, own.parity) == (None, None)
        assert own.note == "no interpreter" and (stage.folder.path / "model.own").is_file()
        asked.run()
        assert judged == ["fp32", "own"]
        reason[0] = ""  # it is installed now
        own = replace(asked).run().of("own")
        assert own is not None and own.parity is not None and own.note == ""
    finally:
        EXPORT_FORMATS.remove("own")


def test_for_another_device_nothing_is_timed_and_weights_saturate_nowhere(
    stage: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(deploy, "timed")
    found = replace(stage, asked=INT8, is_for_here=False).run()
    int8 = found.of("int8")
    assert found.timings is None and found.recommended is None
    assert int8 is not None and int8.int8 is not None and int8.int8.reduce_range


def test_where_nobody_knows_how_images_are_made_there_is_no_script(
    stage: Deployment, capsys: pytest.CaptureFixture[str]
) -> None:
    replace(stage, dataset=toy_dataset()).run()
    assert not (stage.folder.path / SCRIPT_NAME).exists()
    assert f"No {SCRIPT_NAME}" in capsys.readouterr().out


def test_what_cannot_be_made_is_refused_before_any_training(
    stage: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace(stage, asked=INT8).check()
    too_many = replace(INT8, calibration_images=61)
    with pytest.raises(InputError, match="--calibration_images from 1 to 60"):
        replace(stage, asked=too_many).check()

    def fail(*_: Any, **__: Any) -> None:
        raise NotImplementedError("no int8 form of Erf")

    monkeypatch.setattr("onnxruntime.quantization.quantize_static", fail)
    with pytest.raises(Exception, match="no int8 form of Erf"):
        replace(stage, asked=INT8).check()
    stage.check()  # nobody asks for int8


def test_a_full_disk_leaves_what_was_there(
    stage: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(stage, asked=replace(INT8, calibration_images=5))
    asked.run()
    files = ("model_int8.onnx", "model.onnx", "model.keras", "exported/int8.json")
    before = {name: (stage.folder.path / name).read_bytes() for name in files}

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    whole = atomic.write_bytes
    monkeypatch.setattr(atomic, "write_bytes", full)
    again = replace(stage, asked=replace(INT8, calibration_images=7))
    with pytest.raises(InputError, match="free some space"):
        again.run()
    # The pair of a new training is written whole or not at all.
    metadata = metadata_for(NETWORK, DATASET, stage.folder.run_id)
    images = DATASET.evaluation.images[:2].astype(np.float32)
    other = portable_model(NETWORK, random_weights(NETWORK, seed=3))
    with pytest.raises(OSError, match="No space left"):
        export(other, NETWORK, metadata, stage.folder.path, images)
    assert {name: (stage.folder.path / name).read_bytes() for name in files} == before
    assert not list(stage.folder.path.glob(".*tmp*"))
    monkeypatch.setattr(atomic, "write_bytes", whole)
    found = again.run().of("int8")
    assert found is not None and found.int8 is not None and found.int8.images == 7


def test_restarting_forgets_what_was_exported(stage: Deployment) -> None:
    replace(stage, asked=INT8).run()
    forget_exports(stage.folder)
    names = {path.name for path in stage.folder.path.iterdir()}
    assert not names & {"model_int8.onnx", "export_timings.json", Flip.FILE}
    assert not list((stage.folder.path / "exported").iterdir())
    assert metadata_of((stage.folder.path / "model.onnx").read_bytes(), "m").precision == "fp32"


BLOCKS = AskedExports.of(None, None, "auto")


@pytest.fixture
def choices(monkeypatch: pytest.MonkeyPatch) -> list[Int8Blocks]:
    """Every choice of blocks that is made from now on: of the first block alone."""
    found: list[Int8Blocks] = []

    def choose(self: BlockChoice) -> Int8Blocks:
        chosen = tuple(nodes_of_blocks(self.fp32))[:1]
        found.append(
            Int8Blocks(
                source_sha256=sha256(self.fp32),
                host_fingerprint=self.host_fingerprint,
                date="d",
                int8=self.settings,
                judging_images=4,
                fp32_ms=1.0,
                fp32_top1=0.5,
                blocks=(),
                candidates=(),
                chosen=chosen,
                reason="It is the first.",
            )
        )
        return found[-1]

    monkeypatch.setattr(BlockChoice, "chosen", choose)
    return found


def test_blocks_are_chosen_once_and_compared_with_both_whole_files(
    stage: Deployment, choices: list[Int8Blocks], judged: list[str]
) -> None:
    asked = replace(stage, asked=BLOCKS)
    found = asked.run()
    assert [file.name for file in found.files] == ["fp32", "int8", "int8_blocks"] == judged
    assert found.int8_blocks == choices[0] == asked.folder.read(Int8Blocks)
    path = stage.folder.path / "model_int8_blocks.onnx"
    made = onnx.load(path)
    quantized = [t.name for t in made.graph.initializer if t.name.endswith("kernel_quantized")]
    assert quantized and all(name.startswith("0.") for name in quantized)
    assert read_metadata(path).precision == "int8"
    # Again, nothing is chosen or judged; and a lost file is made again by the same choice.
    assert asked.run() == found and len(choices) == 1 and len(judged) == 3
    path.unlink()
    assert asked.run() == found and len(choices) == 1
    # Not asked for any more, it stays among the run's files; a new training forgets it.
    assert stage.run() == found
    forget_exports(stage.folder)
    assert not stage.folder.has(Int8Blocks) and not path.exists()


def test_blocks_of_which_nothing_could_be_told_are_chosen_again_where_they_are_asked_for(
    stage: Deployment, choices: list[Int8Blocks]
) -> None:
    asked = replace(stage, asked=BLOCKS)
    asked.run()
    doubtful = Int8Candidate(
        blocks=("0",),
        measured_ms=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
        verdict="cannot tell",
        top1=0.5,
    )
    asked.folder.write(replace(choices[0], chosen=(), candidates=(doubtful,)))
    assert stage.run().int8_blocks != choices[0] and len(choices) == 1, "nobody asked"
    assert asked.run().int8_blocks == choices[1]
    made = onnx.load(stage.folder.path / "model_int8_blocks.onnx")
    assert any(t.name.endswith("kernel_quantized") for t in made.graph.initializer)
    assert asked.run().int8_blocks == choices[1] and len(choices) == 2


def test_files_of_which_nothing_could_be_told_are_timed_again(
    stage: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = replace(stage, asked=AskedExports.of("int8"))
    timed: list[str] = []

    def busy(files: dict[str, bytes], *rest: Any) -> ExportTimings:
        found = made_up_timings(files)
        timed.append("busy")
        unknown = replace(found.files[1], verdict="cannot tell", ratio=None, reason="busy")
        return replace(found, files=(found.files[0], unknown))

    with monkeypatch.context() as patch:
        patch.setattr(deploy, "timed", busy)
        assert "cannot be told (busy)" in asked.run().advice
        assert not asked.run().is_told and timed == ["busy", "busy"]
    found = asked.run()
    assert found.is_told and found.timings == asked.folder.read(ExportTimings)
    monkeypatch.setattr(deploy, "timed", busy)
    assert asked.run() == found, "what is told stays"


def test_another_calibration_chooses_again(stage: Deployment, choices: list[Int8Blocks]) -> None:
    replace(stage, asked=BLOCKS).run()
    replace(stage, asked=AskedExports.of(None, 3, "auto")).run()
    assert [choice.int8.images for choice in choices] == [len(DATASET.train.labels), 3]


def test_where_no_block_pays_the_file_is_that_of_float32(
    stage: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Deployment, "_chosen_nodes", lambda self: ())
    replace(stage, asked=BLOCKS).run()
    files = [stage.folder.path / name for name in ("model.onnx", "model_int8_blocks.onnx")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_blocks_are_not_chosen_for_another_device(own_keras: Deployment) -> None:
    with pytest.raises(InputError, match="--int8_blocks for this machine") as error:
        replace(own_keras, asked=BLOCKS, is_for_here=False).check()
    assert error.value.fix == "leave --int8_blocks out"


def test_unknown_way_to_choose_blocks_is_refused() -> None:
    with pytest.raises(InputError, match="int8_blocks to be one of auto"):
        AskedExports.of(None, None, "most")


# One that ONNX Runtime multiplies as bytes, and one that reads 12 bits, which it cannot.
EMULATED = arch_text.parse("in_s32 cn_k3_s2_c4_nre_wqb4_aqf8.1 gap fc_c12_wqb8_aqf12.4")
QUANTIZED = arch_text.parse(
    "in_s32 cn_k3_s2_c4_nre_wqb4_aqf8.1 cn_k3_s2_c6_nre_bias_nobn_wqb8_aqu8 gap fc_c12_wqb8_aqb8"
)


@pytest.mark.parametrize(
    ("network", "note"),
    [
        (QUANTIZED, "multiplies this network's numbers as bytes"),
        (EMULATED, "no milliseconds are measured, and no speed-up is promised"),
    ],
)
def test_network_with_formats_agrees_with_keras_and_says_what_runs_it(
    network: Architecture, note: str, tmp_path: Path
) -> None:
    folder = RunFolder.create(tmp_path / "run", run_config(Goal(target=0.7)), "deploy")
    weights = random_weights(network)
    metadata = metadata_for(network, DATASET, folder.run_id)
    images = DATASET.evaluation.images[:2].astype(np.float32)
    export(portable_model(network, weights), network, metadata, folder.path, images)
    stage = Deployment(folder, network, DATASET, AskedExports(), 0, True, SMOKE)
    stage.check()
    found = stage.run()
    (own,) = found.files
    assert own.parity is not None and own.parity.flips == 0
    assert own.parity.max_abs_difference == 0.0  # bit for bit
    assert note in own.note and found.timings is None


@pytest.mark.parametrize("name", [n for n in EXPORT_FORMATS.names if n != "fp32"])
def test_files_that_hold_no_formats_are_refused_before_training(
    own_keras: Deployment, name: str
) -> None:
    stage = replace(own_keras, architecture=QUANTIZED, asked=AskedExports(("fp32", name)))
    with pytest.raises(InputError, match=f"--export {name} of a network whose numbers") as error:
        stage.check()
    assert "number formats in its layers" in error.value.received

#!/usr/bin/env python3
"""Writes docs/files.md: every file of a run and every key, from the records that programs write.

python scripts/make_file_docs.py          writes the page
python scripts/make_file_docs.py --check  says with exit code 1 that it is out of date
"""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from latency.start import begin

if __name__ == "__main__":
    begin()

from latency import shell
from latency.cli.parser import Parser
from latency.device.strict_json import VERSION_KEY
from latency.tables.table import LatencyTable
from nas.architecture import spec
from nas.architecture.number_formats import NumberFormat
from nas.architecture.spec import LAYER_TYPES, Architecture
from nas.deployment.records import ExportedFile, ExportTimings, Flip, Int8Blocks
from nas.field_texts import field_texts
from nas.methods.history import GateHistory, SearchEnd, SearchRow
from nas.runs.compared import ComparedCells, ComparedNetworks
from nas.runs.config import ComparisonConfig, GivenNetworkConfig, RunConfig, TrainingConfig
from nas.runs.data import DataRecord
from nas.runs.front import Front, FrontPlan
from nas.runs.lender import LentSupernet
from nas.runs.predictions import Predictions
from nas.runs.records import (
    Baselines,
    Certificate,
    Comparison,
    RunWarnings,
    SupernetScore,
    TrainedRecord,
)
from nas.runs.sweep import Pareto, SharedWarmUp
from nas.runs.trainings import LostRecord
from nas.runs.trials import TrialsConfig
from nas.runs.trials_later import AskedLater
from nas.runs.trials_record import TrialsRecord
from nas.selection.choice import Choice
from nas.selection.goals import ResolvedTarget
from nas.selection.successive_halving import CandidateScore, Field, RaceResult
from nas.training.history import TrainingRow
from nas.training.rate_curve import RateCurve

PAGE = ROOT / "docs" / "files.md"
WIDTH = 96
INTRODUCTION = """\
# Files of a run

Every file of a run folder, and every key of the JSON files. This page is made from the records
that the programs write and read (`python scripts/make_file_docs.py`), so that it cannot differ
from them.

JSON files are written whole or not at all. They have a `schema_version`; a file of another
version, with an unknown or missing key, or with a value of another type is refused. Names carry
units: `_ms` are milliseconds, `_bytes` bytes, `_percent` percents; a share is from 0 to 1. What is
not known, or not there yet, is `null` in JSON and an empty cell in CSV.
"""


@dataclass(frozen=True)
class FileDoc:
    """A file of a run folder.

    Args:
        name: Path below the folder; `*` stands for what differs.
        text: What it is, for a file that is no record.
        kinds: Records that it may hold.
        is_whole: Whether records inside of the record are described, too.
    """

    name: str
    text: str = ""
    kinds: tuple[type, ...] = ()
    is_whole: bool = True


def record(*kinds: Any, text: str = "", is_whole: bool = True) -> FileDoc:
    """The file of a record, named as its class says."""
    return FileDoc(re.sub(r"{\w+}", "*", kinds[0].FILE), text, kinds, is_whole)


GROUPS: Mapping[str, tuple[FileDoc, ...]] = {
    "What was asked for, and found at once": (
        record(RunConfig, GivenNetworkConfig, ComparisonConfig, TrialsConfig),
        record(DataRecord),
        record(ResolvedTarget),
        record(LentSupernet),
        FileDoc(
            "table.json",
            "The latency table of the run. Rows, networks and the device's own records are told "
            "of in [measuring](measuring.md). The table, each of its rows and each of its networks "
            "have a `seal`, a hash of what stands in it; a file that was edited is refused.",
            (LatencyTable,),
            is_whole=False,
        ),
        FileDoc(
            "table.journal",
            "Rounds of a table that is being measured; a killed measurement goes on from it. Its "
            "last line says how the session ended, and which runs count.",
        ),
        FileDoc(".lock", "Held by the program that works on the run."),
    ),
    "The search": (
        record(SearchEnd),
        record(SearchRow),
        record(GateHistory),
        record(Choice),
        FileDoc(
            "architecture.json",
            "The found network; `nas.architecture.text` reads and writes it. Its `kind` is "
            "`architecture`, its `text` is the same network in one line.",
            (Architecture,),
            is_whole=False,
        ),
        record(SupernetScore),
        record(RunWarnings),
        record(Comparison),
        record(Certificate),
        FileDoc(
            "checkpoints/*.npz",
            "States of a search (`search`), of a race (`race_*`), of trials (`trial_*`) and of "
            "trainings (`retrain_*`), from which they go on after a stop. The search's one also "
            "lends its supernet.",
        ),
        FileDoc("tensorboard/*", "The histories as TensorBoard reads them."),
        FileDoc("report.html", "The page about the run; it needs no other file."),
    ),
    "A search by trials": (
        record(AskedLater),
        record(TrialsRecord),
        FileDoc(
            "trials.csv",
            "A row for each trial at each of its rungs: an id that no trial of another run has, "
            "what it had reached, its configuration and its network.",
        ),
        FileDoc(
            "trial_curves.csv",
            "The rows of all trainings: trial, rung, and the columns of a training's history.",
        ),
        FileDoc(
            "trials.db",
            "All trials as Optuna keeps them, a SQLite file that one program writes; "
            "`optuna-dashboard sqlite:///RUN/trials.db` shows it. A trial of the study is one leg: "
            "the training of a configuration up to the end of a rung. Its attributes are `trial`, "
            "`rung`, `epochs`, `bracket`, `known`, `margins`, `refused`, `attempts`, `message`, "
            "`lease`, `reached`, `violation`, `curve` and `facts`. The study is named by the run's "
            "id and has `schema_version`, `space_hash`, `objectives` and `optuna_version`.",
        ),
        FileDoc("trials.journal", "The same with `--storage journal`, a line for each change."),
        FileDoc("trials.*.writer", "Held by the program that writes the trials."),
        FileDoc("workers/*.log", "What each worker printed; the trace of what failed is there."),
        FileDoc("workers/*.lock", "Held by each worker, so that none has two processes."),
    ),
    "A race": (record(Field), record(CandidateScore), record(RaceResult)),
    "A retraining": (
        record(TrainingConfig),
        record(TrainedRecord),
        record(LostRecord),
        record(TrainingRow),
        record(RateCurve),
        FileDoc("learning_rates.png", "The picture of what `--find_learning_rate` tried."),
        record(Baselines),
        FileDoc(
            "model.onnx",
            "The trained network for any runtime: pixels from 0 to 255 in, scores of the classes "
            "out. Its metadata, one text a key, are `class_names` (a JSON list), `image_size`, "
            "`resize` (as in data.json), `white` (of grey images of 16 bits), `orientation`, "
            "`resize_filter`, `background` (under transparent pixels and borders), `layout`, "
            "`colours`, `pixel_range`, `normalisation`, `input`, `output`, `precision`, "
            "`architecture`, `run_id` (as in certificate.json), `weights_sha256` and "
            "`metadata_version`; what nobody knows is `unknown`. `nas.deployment.metadata` reads "
            "and checks them.",
        ),
        FileDoc(
            "model_int8.onnx",
            "The same network in int8, with `--export int8`; input, output and metadata are those "
            "of model.onnx.",
        ),
        FileDoc(
            "model_int8_blocks.onnx",
            "The same with some blocks in int8, with `--int8_blocks auto`; model.onnx again where "
            "no block is worth it.",
        ),
        FileDoc("model.tflite", "The same network for LiteRT, with `--export litert`."),
        record(ExportedFile),
        record(Int8Blocks),
        record(ExportTimings),
        record(Flip),
        FileDoc(
            "classify.py",
            "A script that names the class of image files by model.onnx, with onnxruntime, numpy "
            "and Pillow alone. It prepares images as the training images were.",
        ),
        FileDoc(
            "model.keras",
            "The same network in layers of Keras' own: `keras.saving.load_model` reads it on every "
            "backend, where nothing of this project is installed.",
        ),
        FileDoc(
            "largest/model.onnx",
            "The largest network of the space, where it was trained: `--teacher RUN/largest`.",
        ),
        FileDoc(
            "teacher/*",
            "A copy of the teacher, such as `teacher/model.onnx`, where it lay in the folder of "
            "the run that it teaches, or of its sweep: trainings replace what was exported before.",
        ),
    ),
    "Curves and predictions": (
        FileDoc(
            "curves.png",
            "Loss, accuracy and learning rate over the epochs, of `--curves` or of a comparison.",
        ),
        FileDoc("curves-of-several.png", "The same of several runs, beside the first one."),
        record(Predictions),
        FileDoc("predictions/sheet-*.png", "Images that were predicted, with their bars."),
    ),
    "A comparison": (
        FileDoc(
            "networks/*",
            "The run folder of each network that the comparison trains, with all files of a "
            "retraining: `main.py --predict` and `--curves` take it by `--run`.",
        ),
        record(ComparedNetworks),
        record(ComparedCells),
        FileDoc("compared.png", "Accuracy against milliseconds; areas are parameters."),
    ),
    "A sweep": (
        record(SharedWarmUp),
        record(Pareto),
        FileDoc("pareto.png", "The front as a picture."),
        record(FrontPlan),
        record(Front),
        FileDoc(
            "front.html",
            "One page to pick a trained network from: accuracy against milliseconds, and from each "
            "point to the files of that network. It loads nothing.",
        ),
        FileDoc(
            "added-*",
            "The run folder of a further network between the goals, as that of a search which "
            "asked for no time.",
        ),
    ),
}


def main(arguments: list[str]) -> int:
    """Writes or checks the page."""
    parser = Parser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare the page, write nothing")
    is_check = parser.parse_args(arguments).check
    text = page()
    if not is_check:
        PAGE.write_text(text, "utf-8")
        return 0
    if PAGE.is_file() and PAGE.read_text("utf-8") == text:
        return 0
    print(
        f"Error: Expected docs/{PAGE.name} as the records are.\nReceived: another page.\n"
        "Fix: python scripts/make_file_docs.py.",
        file=sys.stderr,
    )
    return 1


def is_listed(name: str) -> bool:
    """Whether the page tells of a file.

    Args:
        name: Path below a run folder.
    """
    return any(fnmatch(name, doc.name) for docs in GROUPS.values() for doc in docs)


def page() -> str:
    """The whole page."""
    told: set[type] = set()
    parts = [INTRODUCTION]
    for title, docs in GROUPS.items():
        parts.append(f"## {title}\n")
        for doc in docs:
            parts += _file(doc, told)
    return "\n".join(parts)


def _file(doc: FileDoc, told: set[type]) -> Iterator[str]:
    """A file, its keys, and the records inside that no file before has told of."""
    yield f"### {doc.name}\n"
    if doc.text:
        yield _wrapped(doc.text)
    for kind in doc.kinds:
        told.add(kind)
        yield from _record(kind, doc)
        if kind is Architecture:
            yield from _layers()
    if doc.is_whole:
        for inner in _inside(doc.kinds, told):
            yield f"#### {inner.__name__}\n"
            yield from _record(inner, doc)


def _record(kind: type, doc: FileDoc) -> Iterator[str]:
    first = (inspect.getdoc(kind) or "").partition("\n")[0]
    # The heading has the file's name already.
    sentence = re.sub(r"^[\w/*.-]+\.\w+( of a sweep)?: |: \w+\.json(?=\.$)", "", first)
    yield _wrapped(sentence[:1].upper() + sentence[1:])
    is_csv = doc.name.endswith(".csv")
    lines = []
    if not is_csv and hasattr(kind, "SCHEMA_VERSION"):
        lines.append(f"- `{VERSION_KEY}` (whole number): {kind.SCHEMA_VERSION}.")
    meanings = _meanings(kind)
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        if field.name in getattr(kind, "KEYS", (field.name,)):
            name = field.metadata.get("column", field.name)
            form = _form(hints[field.name], "empty" if is_csv else "null")
            if not doc.is_whole:
                form = re.sub(r"\[(\w+)\]\(#\w+\)", "object", form)
            meaning = meanings.get(field.name, "")
            text = f"`{name}` ({form}): {meaning}" if meaning else f"`{name}`: {form}."
            lines.append(_wrapped(f"- {text}", "  ", end=""))
    yield "\n".join(lines) + "\n"


def _layers() -> Iterator[str]:
    yield "A layer has its `type` and these keys:\n"
    lines = []
    # Blocks of a user's own may be registered, too.
    own = {token: kind for token, kind in LAYER_TYPES.items() if kind in spec.BUILT_IN}
    for token, kind in own.items():
        hints = typing.get_type_hints(kind)
        names = [
            f"`{field.name}` ({_layer_form(hints[field.name])})"
            for field in dataclasses.fields(kind)
        ]
        text = f"- `{token}`, {kind.__name__}: {', '.join(names) or 'none'}."
        lines.append(_wrapped(text, "  ", end=""))
    yield "\n".join(lines) + "\n"


def _layer_form(hint: Any) -> str:
    return "list of layers" if typing.get_origin(hint) is tuple else _form(hint, "null")


def _wrapped(text: str, indent: str = "", end: str = "\n") -> str:
    lines = textwrap.wrap(
        text, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines) + end


def _meanings(kind: type) -> dict[str, str]:
    """Field -> what its record's docstring says of it, with the word that files have for None."""
    texts = field_texts(kind)
    return {name: re.sub(r"\bNone\b", "`null`", text) for name, text in texts.items()}


PLURALS = {bool: "flags", int: "whole numbers", float: "numbers", str: "texts"}
SCALARS = {bool: "true or false", int: "whole number", float: "number", str: "text"}


def _form(hint: Any, nothing: str) -> str:
    """A type in words.

    Args:
        hint: Annotation.
        nothing: What None is in the file.
    """
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        known = [_form(a, nothing) for a in arguments if a is not type(None)]
        known = list(dict.fromkeys(known))  # all number formats have the same words
        return " or ".join([*known, *([nothing] if type(None) in arguments else [])])
    if origin is typing.Literal:
        return " or ".join(f"`{a}`" for a in arguments)
    if origin in (tuple, list):
        inner = [PLURALS.get(a) or _form(a, nothing) for a in arguments if a is not Ellipsis]
        return f"list of {' and '.join(dict.fromkeys(inner))}"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"object: name to {_form(arguments[1], nothing)}"
    if hint in typing.get_args(NumberFormat):
        return "[number format](architectures.md#number-formats) as text"
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return f"[{hint.__name__}](#{_anchor(hint)})"
    return SCALARS.get(hint) or "any value"


def _anchor(kind: type) -> str:
    """The heading that tells of a record: that of its file, or its own name."""
    files = (doc.name for docs in GROUPS.values() for doc in docs if kind in doc.kinds)
    return re.sub(r"[^\w-]", "", next(files, kind.__name__).lower())


def _inside(kinds: tuple[type, ...], told: set[type]) -> Iterator[type]:
    """Records inside of records, each once."""
    for kind in kinds:
        for hint in typing.get_type_hints(kind).values():
            for inner in _records_of(hint):
                if inner not in told:
                    told.add(inner)
                    yield inner
                    yield from _inside((inner,), told)


def _records_of(hint: Any) -> Iterator[type]:
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        yield hint
    for argument in typing.get_args(hint):
        yield from _records_of(argument)


if __name__ == "__main__":
    sys.exit(shell.run(lambda: main(sys.argv[1:])))

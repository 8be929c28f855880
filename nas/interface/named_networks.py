"""Networks as users name them: run folders, reference names, files, architecture strings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from nas.architecture.keras_files.archive import SUFFIX as KERAS
from nas.architecture.keras_files.reading import takes_any_size
from nas.architecture.references.named import is_name
from nas.architecture.spec import Architecture
from nas.architecture.text import to_text
from nas.errors import InputError
from nas.interface.networks import check_classes, is_text, read_network
from nas.interface.training_parts import architecture_of
from nas.runs.config import CONFIG_FILE, ComparisonConfig, RunConfig, read_config
from nas.runs.folder import RunFolder
from nas.runs.records import Certificate
from nas.runs.trials import refuse_trials
from nas.system.paths import exists, own_path
from nas.system.program import go_on_command

# What a word is read as that is none of these.
FORMS = "a reference network's name, a run folder, a file or an architecture string"
_UNSAFE = re.compile(r"[^\w.@-]+")


@dataclass(frozen=True)
class NamedNetwork:
    """One network that was named, before it is known which images it is for.

    Args:
        word: As it was written.
        name: For people, and for files; different for each of several.
        run: Folder of its run, as an absolute path; None where it is no run.
        architecture: Of a file or a string; None where the run or the name says it, or a Keras file
            that takes images of any size.
        file_notes: What of a file's network is not as it was given.
    """

    word: str
    name: str
    run: Path | None = None
    architecture: Architecture | None = None
    file_notes: tuple[str, ...] = ()

    @property
    def is_keras(self) -> bool:
        """Whether it is a file of Keras, whose classes stay as they are."""
        return self.run is None and self.word.endswith(KERAS)

    @property
    def takes_any_size(self) -> bool:
        """Whether it is a published network or a Keras file that fits itself to the images."""
        return self.run is None and self.architecture is None

    def built(self, image_size: int | None, num_classes: int | None) -> Architecture:
        """The network for images of a size and as many classes; a given one keeps its size.

        Args:
            image_size: Height and width in pixels; None for its own.
            num_classes: Class scores; None for its own.

        Raises:
            InputError: The run has no network yet, or a Keras file has other classes.
            ArchitectureError: A network does not exist in this size, or nobody says one.
        """
        if self.run is not None:
            found = architecture_of(RunFolder.open(self.run))
        elif self.architecture is not None:
            found = self.architecture
        else:
            found = read_network(self.word, image_size, num_classes).architecture
        found = replace(found, name=self.name)
        if self.is_keras and num_classes is not None:
            check_classes(self.word, found, num_classes)
        return found if num_classes is None else found.with_num_classes(num_classes)

    def notes(self, image_size: int | None) -> tuple[str, ...]:
        """What of a network is not as it was published or given, in sentences.

        Args:
            image_size: Height and width in pixels; None for its own.
        """
        return read_network(self.word, image_size).notes if self.takes_any_size else self.file_notes

    def trained_run(self) -> Path:
        """The folder of the run that trained it.

        Raises:
            InputError: It is no run, or one that is not trained.
        """
        if self.run is None:
            raise InputError(
                "runs whose training is finished",
                f"{self.word!r}, which is a network and no run",
                "compare it first, and name the folder that is printed then",
            )
        check_trained(RunFolder.open(self.run))
        return self.run


def split_words(words: Iterable[str]) -> list[str]:
    """Words of a flag that have commas between networks; one that is a path stays whole.

    Args:
        words: As they were written.

    Raises:
        InputError: There is nothing between two commas.
    """
    found: list[str] = []
    for word in words:
        parts = [word] if exists(word) else [part.strip() for part in word.split(",")]
        if not all(parts):
            raise InputError(
                "networks with commas between them", repr(word), "remove the comma too many"
            )
        found += parts
    return found


def name_networks(words: Sequence[str]) -> list[NamedNetwork]:
    """What words name, each under a name of its own.

    Args:
        words: From `split_words`.

    Raises:
        InputError: An unknown name, with the nearest known one; a folder that is no run; a file
            that is no network; one word twice.
    """
    found: list[NamedNetwork] = []
    for place, word in enumerate(words, start=1):
        network = _named(word, place)
        for other in found:
            if _is_same(other, network):
                raise InputError(
                    "each network once", f"{other.word!r} and {word!r}", "leave one of them out"
                )
        taken = {other.name for other in found}
        found.append(replace(network, name=_own_name(network, taken)))
    return found


def _named(word: str, place: int) -> NamedNetwork:
    path, is_there = own_path(word), exists(word)
    # A folder that only has the name of a published network is none that was meant.
    is_run = is_there and (path / CONFIG_FILE).is_file()
    if is_there and path.is_dir() and (is_run or not is_name(word)):
        RunFolder.open(path)
        return NamedNetwork(word, path.absolute().name, path.absolute())
    if not is_there and "/" in word and not is_text(word):
        raise InputError(
            FORMS, f"{word}, where nothing is", "check the path, or write the name of a network"
        )
    if word.endswith(KERAS) and takes_any_size(path):
        return NamedNetwork(word, _safe(path.stem))
    found = read_network(word)
    if found.takes_any_classes:
        return NamedNetwork(word, word)
    stem = path.stem if is_there else found.architecture.name or f"network-{place}"
    return NamedNetwork(word, _safe(stem), architecture=found.architecture, file_notes=found.notes)


def _is_same(one: NamedNetwork, other: NamedNetwork) -> bool:
    if one.run is not None or other.run is not None:
        return one.run is not None and other.run is not None and one.run.samefile(other.run)
    if one.takes_any_size or other.takes_any_size:
        return one.word == other.word
    return one.architecture == other.architecture


def _own_name(network: NamedNetwork, taken: set[str]) -> str:
    """Its name, with the folder above where two runs have one name, or with a number."""
    names = [network.name]
    if network.run is not None:
        names.append(_safe(f"{network.run.parent.name}-{network.name}"))
    names += [f"{network.name}-{number}" for number in range(2, len(taken) + 3)]
    return next(name for name in names if name not in taken)


def _safe(text: str) -> str:
    """A name that is also one of a folder."""
    return _UNSAFE.sub("_", text).strip("._") or "network"


def check_trained(folder: RunFolder) -> Certificate:
    """The certificate of a run whose network is trained.

    Args:
        folder: Of the run.

    Raises:
        InputError: It is not trained, or was stopped on the way.
    """
    found = trained_certificate(folder)
    if found is not None:
        return found
    raise InputError(
        f"a run whose training is finished in {folder.path}",
        "one whose training was stopped" if has_begun(folder) else "one that was never trained",
        f"train it: {go_on_command('retrain', folder.path)}",
    )


def trained_certificate(folder: RunFolder) -> Certificate | None:
    """The certificate of a run whose network is trained and exported; None before that.

    Args:
        folder: Of the run.

    Raises:
        InputError: It is a sweep, or a comparison.
    """
    check_one_network(folder)
    if not folder.has(Certificate) or not folder.has("model.onnx"):
        return None
    certificate = folder.read(Certificate)
    return None if certificate.top1 is None else certificate


def has_begun(folder: RunFolder) -> bool:
    """Whether a training of a run has left anything.

    Args:
        folder: Of the run.
    """
    return any((folder.path / "retrained").glob("*.json")) or any(
        (folder.path / "checkpoints").glob("retrain_*.npz")
    )


def check_one_network(folder: RunFolder) -> None:
    """Refuses the folder of a sweep or a comparison, which has several networks.

    Args:
        folder: Of a run.

    Raises:
        InputError: It is one of these.
    """
    config = read_config(folder.path)
    refuse_trials(folder.path, config)
    several = isinstance(config, ComparisonConfig) or (
        isinstance(config, RunConfig) and config.is_sweep
    )
    if several:
        raise InputError(
            "a run of one network",
            f"{folder.path}, which has several",
            "name the folders of its networks: " + ", ".join(map(str, folders_of(folder.path)[:3])),
        )


def folders_of(path: Path) -> list[Path]:
    """Folders of the runs of a sweep or a comparison; the run alone where it is neither.

    Args:
        path: Of the run folder.
    """
    config = read_config(path)
    if isinstance(config, ComparisonConfig):
        return [network.folder_in(path) for network in config.networks]
    if isinstance(config, RunConfig) and config.is_sweep:
        return [path / goal.label for goal in config.goals]
    return [path]


def same_network(one: Architecture, other: Architecture) -> bool:
    """Whether two networks are equal, whatever their names.

    Args:
        one: A network.
        other: Another one.
    """
    return to_text(one) == to_text(other)

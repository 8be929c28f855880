"""A user's own blocks and spaces, out of Python files that the command line names.

A file of blocks registers records and how they are lowered. A file of a space has a value `SPACE`,
or a function `space(image_size, num_classes)`. Both are programs: load what you trust.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from nas.architecture.lowering import lower
from nas.architecture.spec import LAYER_TYPES, Layer, register_layer
from nas.errors import InputError, SpaceError
from nas.search_space.knob_space import KnobSpace
from nas.search_space.space import Space
from nas.system.paths import kept_path, own_path
from nas.system.user_files import SUFFIX, function_called, load_file, module_name

# Module of a file -> its records: the same file again is the same records.
_loaded: dict[str, list[type[Layer]]] = {}


def is_file(name: str) -> bool:
    """Whether the name of a space is that of a file.

    Args:
        name: Of a space, or a path.
    """
    return name.endswith(SUFFIX)


def reference(name: str) -> str:
    """What a run keeps of the name of a space or of a file: a path leads there from everywhere.

    Args:
        name: Of a space, or a path.
    """
    return kept_path(name) if is_file(name) else name


def refuse_relative(paths: Iterable[str], record: Path) -> None:
    """Refuses Python files by relative paths, which no record of a run has.

    They are run when the run goes on. A relative path could lead into the run's own folder, and
    with it to a program that came along with a folder of somebody else.

    Args:
        paths: As the record names them.
        record: Its path, for the message.

    Raises:
        InputError: One is relative.
    """
    for path in paths:
        if not Path(path).is_absolute():
            raise InputError(
                f"absolute paths of Python files in {record}",
                repr(path),
                "see that the file may be trusted, and write its absolute path",
            )


def load_blocks(paths: Iterable[str]) -> None:
    """Makes the records of files known to everything that reads architectures.

    Args:
        paths: Python files; each is run once in a process.

    Raises:
        InputError: No such file, one that breaks off, or one that registers nothing.
    """
    for path in map(own_path, paths):
        name = module_name(path)
        if name not in _loaded:
            _loaded[name] = _new_records(path)
        for record in _loaded[name]:
            register_layer(record)


def _new_records(path: Path) -> list[type[Layer]]:
    """The records that a file registers; one that is refused leaves nothing behind."""
    before = dict(LAYER_TYPES)
    try:
        load_file(path, "--blocks")
        found = [record for token, record in LAYER_TYPES.items() if token not in before]
        _check_records(path, found)
    except InputError:
        LAYER_TYPES.clear()
        LAYER_TYPES.update(before)
        raise
    return found


def _check_records(path: Path, found: list[type[Layer]]) -> None:
    if not found:
        raise InputError(
            f"a record in {path} that `nas.architecture.spec.register_layer` made known",
            "none",
            "write `@register_layer` above the record's `@dataclass(frozen=True)`",
        )
    for record in found:
        if lower.dispatch(record) is lower.dispatch(object):
            raise InputError(
                f"a function in {path} that lowers {record.__name__}",
                "none",
                "write `@lower.register` above a function of the record, a prefix and a shape",
            )


def load_space(path: str, image_size: int | None, num_classes: int | None) -> Space | KnobSpace:
    """The space of a file, of either kind.

    Args:
        path: Python file.
        image_size: Height and width in pixels; None for the space's own.
        num_classes: Class scores; None for the space's own.

    Raises:
        InputError: No such file, one that breaks off, or one without a space.
        SpaceError: A space of another image size or number of classes.
        ArchitectureError: The classifier of its networks has an activation.
    """
    module = load_file(own_path(path), "--space")
    make = getattr(module, "space", None)
    if callable(make):
        if image_size is None or num_classes is None:
            raise SpaceError(
                f"an image size and a number of classes for the function of {path}",
                f"{image_size} and {num_classes}",
                "give both, or write a value SPACE in the file",
            )
        with function_called(f"`space({image_size}, {num_classes})` of {path}"):
            found = make(image_size, num_classes)
    else:
        found = getattr(module, "SPACE", None)
    if isinstance(found, KnobSpace):
        found = found.at(image_size, num_classes)
        found.network(found.original).check_scores()
        return found
    if not isinstance(found, Space):
        raise InputError(
            "a value SPACE or a function space(image_size, num_classes) of a Space or a KnobSpace "
            f"in {path}",
            f"{type(found).__name__}",
            "write for example SPACE = Space(name, image_size, layers)",
        )
    wanted = (image_size or found.image_size, num_classes or found.num_classes)
    if wanted != (found.image_size, found.num_classes):
        raise SpaceError(
            f"a space of {wanted[0]} px and {wanted[1]} classes, as the images have",
            f"{found.image_size} px and {found.num_classes} classes in {path}",
            "write a function space(image_size, num_classes) in the file",
        )
    found.decode([0] * len(found.choices)).check_scores()
    return found

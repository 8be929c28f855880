"""What a space offers, before anything is measured, decoded or trained."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from latency.command_line import join
from latency.device.host import current_host
from nas.cost.constraints import Bounds
from nas.cost.units import UNITS
from nas.data import Dataset
from nas.data.look import Looks, look_at
from nas.data.samples import LETTERS, SAMPLES
from nas.errors import InputError
from nas.hardware.measurable import check_measurable, has_table
from nas.hardware.predictor import SpaceLatency
from nas.hardware.tables import default_table_path, load_table
from nas.interface.asked import BOUNDS, bits_of, source_of
from nas.interface.rules import says
from nas.pipeline.inputs import SPACE_OF_LETTERS
from nas.search_space.bits import BitWidths, with_bits
from nas.search_space.files import load_blocks, reference
from nas.search_space.named import get_space
from nas.search_space.space import Space
from nas.selection.default_space import default_space
from nas.selection.goals import Goal, parse_goals
from nas.selection.profile import SpaceProfile, space_profile
from nas.system.paths import kept_path, own_path
from nas.system.program import command_words

TARGETS = tuple(unit.flag for unit in UNITS.values())
# A profile looks at these and at nothing else.
APPLIES = (
    *("profile", "help", "space", "data_dir", "image_size", "blocks", "table"),
    *("sample", "device", "seed", "bits", "end_bits", *TARGETS, *BOUNDS),
)


def check_profile(options: Mapping[str, Any]) -> None:
    """Refuses every option that a profile would not look at.

    Args:
        options: Name -> value of everything that was given.

    Raises:
        InputError: There is one.
    """
    for name in options:
        if says(options, name) and name not in APPLIES:
            raise InputError(
                "--profile with a space, images, targets and bounds alone",
                f"--{name} as well",
                f"leave --{name} out: a profile trains and measures nothing",
            )
    if "device" in options and "table" not in options:
        raise InputError("--table with --device", "no --table", "name the device's table")


def profile_of(
    options: Mapping[str, Any], goals: tuple[Goal, ...] = (), dataset: Dataset | None = None
) -> tuple[SpaceProfile, tuple[str, ...]]:
    """The profile of the space that a search with these options would have.

    Args:
        options: Those of `APPLIES`.
        goals: To be reached within the bounds.
        dataset: Images that a program handed over; None where the options say which.

    Returns:
        The profile, and what else a user should know: why it is this space, and the command that
        makes a latency table where there is none.

    Raises:
        LatencyError: Bad input.
    """
    check_profile(options)
    bounds = Bounds(**{name: options[name] for name in BOUNDS if name in options})
    bits = bits_of(options)
    load_blocks(options.get("blocks", ()))
    space, why = _space(options, dataset, bounds, bits)
    name = options.get("space") or space.name
    space = with_bits(space, bits)
    latency, note = _latency(options, space, name)
    profile = space_profile(space, latency, bounds, goals, options.get("seed", 0))
    return profile, tuple(text for text in (why, note) if text)


def profile(
    data: str | Path | Dataset | None = None,
    *,
    target_ms: float | str | None = None,
    space: str | None = None,
    **options: Any,
) -> SpaceProfile:
    """What a space offers, and whether bounds and a target can be kept together.

    Nothing is measured, decoded or trained. Milliseconds are those of the table in this host's
    cache, or of `table`; without one they are not known.

    Args:
        data: Folder or .npz file with images, or a `Dataset`; None for an embedded sample.
        target_ms: Milliseconds to land on, or a part of the space's range such as `"25%"`.
        space: Name of a search space, or path of a Python file that defines one; default: as a
            search would take it.
        **options: `target_bops` or `target_weight_bits` in the place of milliseconds, `sample`,
            `image_size`, `blocks`, `table`, `device`, `seed`, `bits`, `end_bits` and the bounds
            `max_params`, `max_macs`, `max_size_bytes`, `max_memory_bytes`, `max_weight_bits` and
            `max_bops`; see `SearchOptions`.

    Raises:
        LatencyError: Bad input; says what was expected, what was received, and how to fix it.
        TypeError: An unknown option.
    """
    for name in options:
        if name not in APPLIES or name in ("profile", "help"):
            raise TypeError(f"profile() got an unexpected keyword argument {name!r}")
    named = {"space": space, "data_dir": None if isinstance(data, Dataset) else data}
    given = {name: v for name, v in {**options, **named}.items() if v is not None}
    targets = {flag: given.get(flag) for flag in TARGETS} | {"target_ms": target_ms}
    asked = {flag: f"{value}" for flag, value in targets.items() if value is not None}
    goals = parse_goals(asked) if asked else ()
    return profile_of(given, goals, data if isinstance(data, Dataset) else None)[0]


def _space(
    options: Mapping[str, Any], dataset: Dataset | None, bounds: Bounds, bits: BitWidths | None
) -> tuple[Space, str]:
    """The space at the size and classes of the images, which are not decoded for it; and why."""
    name = options.get("space")
    if dataset is not None:
        looks = Looks.of(dataset)
    else:
        source = source_of(options.get("data_dir"), options)
        sample = source.drawn or LETTERS
        looks = look_at(source.path, options.get("image_size"), options.get("seed", 0), sample)
    size, classes = looks.image_size, looks.num_classes
    if name is None and looks.name != SAMPLES[LETTERS].title:
        return default_space(size, classes, bounds, bits)
    return get_space(name or SPACE_OF_LETTERS, size, classes), ""


def _latency(
    options: Mapping[str, Any], space: Space, name: str
) -> tuple[SpaceLatency | None, str]:
    """Milliseconds of the named table, or of this host's in the cache; and why there are none."""
    other = "device" in options
    if "table" in options:
        check_measurable(space)
        table = load_table(own_path(options["table"]), space, "fp32", other)
        return SpaceLatency.from_table(space, table), ""
    if not has_table(space):
        return None, "No milliseconds: a latency table has no layers with number formats."
    path = default_table_path(space, "fp32", current_host())
    if path.is_file():
        return SpaceLatency.from_table(space, load_table(path, space, "fp32", False)), ""
    words = [*command_words("table"), "--space", reference(name)]
    words += [f"--image_size={space.image_size}", f"--num_classes={space.num_classes}"]
    for blocks in options.get("blocks", ()):
        words += ["--blocks", kept_path(blocks)]
    return None, f"No latency table of this device yet. Make one: {join(words)}"

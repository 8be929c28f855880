"""The direction of imports, kept true by reading the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"tensorflow", "keras", "torch", "jax"}

# Folders and files below the two packages, lowest first. Each imports only what stands before it;
# inside a folder there are no circles. A new folder gets its place here, as low as it can stand.
ORDER = (
    "latency.device",
    "latency.errors",
    "latency.atomic",
    "latency.outputs",
    "latency.start",
    "latency.narrow_tables",
    "latency.terminal",
    "latency.shell",
    "latency.command_line",
    "latency.flag_rules",
    "latency.measurement",
    "latency.onnx_files",
    "latency.jobs",
    "latency.tables",
    "latency.interface",
    "latency.cli",
    "nas.errors",
    "nas.field_texts",
    "nas.ranges",
    "nas.registry",
    "nas.metrics",
    "nas.system",
    "nas.executors",
    "nas.architecture",
    "nas.layers",
    "nas.data",
    "nas.search_space",
    "nas.builders",
    "nas.deployment",
    "nas.cost",
    "nas.training",
    "nas.hardware",
    "nas.supernet",
    "nas.tuning",
    "nas.methods",
    "nas.selection",
    "nas.recipes",
    "nas.runs",
    "nas.report",
    "nas.pipeline",
    "nas.interface",
    "nas.cli",
)
# Starts the command line; nothing imports it.
ENTRY_POINTS = {"latency.__main__"}


def modules() -> dict[str, Path]:
    """Dotted name -> file of every module of both packages; a package is its `__init__`."""
    found = {}
    for path in sorted(p for name in ("latency", "nas") for p in (ROOT / name).rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(part for part in parts if part != "__init__")] = path
    return found


MODULES = modules()


@cache
def nodes(name: str) -> tuple[ast.AST, ...]:
    """Every part of a module's source; reading and walking takes a hundredth of a second."""
    return tuple(ast.walk(ast.parse(MODULES[name].read_text("utf-8"))))


@cache
def imports(name: str) -> set[str]:
    """Every imported name, also inside functions; `from a import b` gives a and a.b."""
    names = set()
    for node in nodes(name):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # A relative import stands in the device folder alone, see below.
            parts = ("latency.device" if node.level else None, node.module)
            module = ".".join(part for part in parts if part)
            names.add(module)
            names |= {f"{module}.{alias.name}" for alias in node.names}
    return names


@cache
def own_imports(name: str) -> set[str]:
    """Modules of ours that one imports; a package counts only where nothing below it is meant."""
    found = {i for i in imports(name) if i in MODULES and i != name}
    return {i for i in found if not any(other.startswith(f"{i}.") for other in found)}


def place(name: str) -> str:
    """The entry of `ORDER` that a module belongs to: a folder, or a file beside the folders."""
    return ".".join(name.split(".")[:2])


def modules_of(entry: str) -> list[str]:
    """The modules of an entry of `PLACES`."""
    return [name for name in MODULES if place(name) == entry]


def import_pairs() -> set[tuple[str, str]]:
    """(importer, imported) between entries of `ORDER`."""
    pairs = {(place(name), place(other)) for name in MODULES for other in own_imports(name)}
    return {(a, b) for a, b in pairs if a != b and a in ORDER and b in ORDER}


# A test a folder and not a module: a thousand more would take longer to report than to run.
PLACES = sorted({place(name) for name in MODULES})


def test_every_module_has_a_place() -> None:
    packages = {"latency", "nas"}
    unknown = {name for name in MODULES if place(name) not in {*ORDER, *ENTRY_POINTS, *packages}}
    assert not unknown, (
        f"Expected every folder in ORDER of {Path(__file__).name}. Received: {sorted(unknown)}. "
        "Fix: add it there, as low as it can stand."
    )
    gone = [entry for entry in ORDER if not any(place(name) == entry for name in MODULES)]
    assert not gone, f"ORDER names what is gone: {gone}"


@pytest.mark.parametrize("entry", ORDER)
def test_imports_go_down(entry: str) -> None:
    rank = {entry: number for number, entry in enumerate(ORDER)}
    for name in modules_of(entry):
        upward = {i for i in own_imports(name) if rank.get(place(i), -1) > rank[entry]}
        assert not upward, f"{name} imports {sorted(upward)}, which stand after it in ORDER"


def test_number_of_import_pairs(record_property: pytest.FixtureRequest) -> None:
    """Printed with -rP or -s: how many pairs of folders know each other."""
    pairs = import_pairs()
    print(f"{len(ORDER)} folders and files at the top, {len(pairs)} import pairs")
    assert len(pairs) <= len(ORDER) * (len(ORDER) - 1) / 2


@pytest.mark.parametrize("entry", [entry for entry in PLACES if entry.startswith("latency")])
def test_latency_never_imports_nas_or_a_training_framework(entry: str) -> None:
    for name in modules_of(entry):
        roots = {i.split(".")[0] for i in imports(name)}
        assert not roots & (HEAVY | {"nas"}), name


def test_data_imports_no_training_framework() -> None:
    for name in modules_of("nas.data"):
        assert not {i.split(".")[0] for i in imports(name)} & HEAVY, name


def test_one_module_imports_ray() -> None:
    """Nothing else knows which executor runs, and all of it works where Ray is missing."""
    found = {name for name in MODULES if "ray" in {i.split(".")[0] for i in imports(name)}}
    assert found == {"nas.executors.ray_cluster"}
    tree = ast.parse(MODULES["nas.executors.ray_cluster"].read_text("utf-8"))
    at_once = {alias.name for n in tree.body if isinstance(n, ast.Import) for alias in n.names}
    at_once |= {n.module or "" for n in tree.body if isinstance(n, ast.ImportFrom)}
    assert not {name for name in at_once if name.split(".")[0] == "ray"}


@pytest.mark.parametrize("entry", PLACES)
def test_no_stars_no_unsafe_loading_no_drawer_of_odds_and_ends(entry: str) -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "imp"}
    for name in modules_of(entry):
        assert name.split(".")[-1] not in {"utils", "common", "helpers"}, name
        assert not {i.split(".")[0] for i in imports(name)} & forbidden, name
        for node in nodes(name):
            if isinstance(node, ast.ImportFrom):
                assert all(alias.name != "*" for alias in node.names), name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "__import__"}, name
            assert not isinstance(node, ast.Assert), f"{name} checks with assert; raise an error"


@pytest.mark.parametrize("entry", PLACES)
def test_only_the_device_folder_imports_relatively(entry: str) -> None:
    """It is shipped without the package around it; everywhere else the whole name is written."""
    for name in modules_of(entry):
        relative = {
            node.level for node in nodes(name) if isinstance(node, ast.ImportFrom) and node.level
        }
        assert relative <= ({1} if entry == "latency.device" else set()), name


def test_no_circles() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"import circle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in own_imports(name):
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()


# Whatever is asked for is checked before a framework starts.
LIGHT = (
    "latency.tables.table",
    "latency.cli.program",
    "nas.architecture.spec",
    "nas.data",
    "nas.hardware.jobs",
    "nas.cli.program",
    "nas.interface.api",
    "nas.interface.searching",
    "nas.interface.retraining",
    "nas.pipeline.search",
)


def test_light_parts_start_no_framework() -> None:
    heavy = f"sorted({HEAVY} & set(sys.modules))"
    lines = [f"import {module}; print('{module}', {heavy})" for module in LIGHT]
    found = run_python("import sys\n" + "\n".join(lines)).splitlines()
    # The first one that starts something is the one to blame.
    assert found == [f"{module} []" for module in LIGHT]


def test_package_wins_over_the_script_of_the_same_name() -> None:
    path = run_python("import nas; print(nas.__file__)")
    assert path.endswith("nas/__init__.py")


@pytest.mark.parametrize("script", ["nas.py", "main.py"])
def test_scripts_hold_no_logic(script: str) -> None:
    tree = ast.parse((ROOT / script).read_text())
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]
    assert len(tree.body) <= 4
    command = [sys.executable, str(ROOT / script), "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "--data_dir" in done.stdout

"""The direction of imports, kept true by reading the source."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
HEAVY = {"tensorflow", "keras", "torch", "jax"}

# Module of nas -> modules of nas that it may import. A reader of the spec does not import
# another reader; what is not listed here fails with a message that says so.
BASE = {"errors", "spec", "arch_text", "shapes", "lower", "weights"}
DATA = {"data", "data.dataset", "data.augment", "data.loader"}
LAYERS = {"layers.fast", "layers.batch_norm", "layers.squeeze_excite"}
GATES = {"layers.gates", "layers.threshold_gates"}
SUPERNET = BASE | LAYERS | GATES | {"layers.super_block", "space", "keras_model"}
SEARCH_PARTS = (
    SUPERNET
    | DATA
    | {
        "supernet",
        "views",
        "inherit",
        "draws",
        "derive",
        "objective",
        "optimizers",
        "runtime",
        "loop",
        "checkpoint",
        "interrupt",
        "evaluate",
        "search.config",
        "search.gradient",
    }
)
REPORT = {
    "errors",
    "spec",
    "arch_text",
    "cost",
    "lower",
    "pareto",
    "shapes",
}
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "spec": {"errors"},
    "arch_text": {"errors", "spec"},
    "shapes": set(),
    "lower": {"errors", "shapes", "spec"},
    "weights": {"lower", "spec"},
    "space": {"arch_text", "errors", "lower", "shapes", "spec"},
    "spaces": {"errors", "shapes", "space", "spec"},
    # Readers of the spec.
    "cost": BASE,
    "onnx_model": BASE,
    "keras_model": BASE | {"layers.batch_norm", "layers.pointwise_conv", "layers.squeeze_excite"},
    "summary": {"cost", "spec"},
    "runtime": BASE | {"cost", "onnx_model", "space"},
    # Layers know no spec.
    "layers": set(),
    "layers.fast": set(),
    "layers.batch_norm": {"layers.fast"},
    "layers.squeeze_excite": {"layers.fast"},
    "layers.pointwise_conv": {"layers.fast"},
    "layers.gates": {"layers.fast"},
    "layers.threshold_gates": {"layers.fast", "layers.gates"},
    "layers.super_block": {"layers.fast", "layers.batch_norm", "layers.squeeze_excite"},
    "supernet": SUPERNET,
    "views": {"layers.fast", "supernet"},
    "inherit": SUPERNET | {"supernet"},
    "draws": {"layers.gates", "supernet"},
    "derive": {"errors", "space", "spec"},
    # Small tools.
    "backend": {"errors"},
    "tensorboard": set(),
    "console": set(),
    "interrupt": set(),
    "objective": set(),
    "goals": {"errors"},
    "pareto": {"errors"},
    "optimizers": {"objective"},
    "checkpoint": {"errors"},
    "loop": {"checkpoint", "interrupt"},
    "environment": set(),
    "flags": {"backend", "errors"},
    # Images: neither Keras nor anything of networks.
    "data": {"data.dataset", "data.load"},
    "data.dataset": {"errors"},
    "data.augment": set(),
    "data.sample": set(),
    "data.cache": {"data.dataset"},
    "data.layouts": {"data.cache", "data.dataset"},
    "data.loader": {"data.augment", "data.dataset", "errors"},
    "data.load": {"console", "data", "data.sample", "data.cache", "data.dataset", "data.layouts"},
    # Search.
    "search": set(),
    "search.config": set(),
    "search.gradient": SEARCH_PARTS,
    "search.evolution": {"errors"},
    "search.methods": {"search.evolution"},
    "search.race": {"errors"},
    "search.shared_score": DATA | LAYERS | {"evaluate", "supernet"},
    "bounds": {"cost", "derive", "errors", "lower", "runtime", "space", "spec"},
    "choice": {"bounds", "errors", "search.methods", "spec"},
    "comparison": {"bounds", "search.methods", "shapes", "space", "spec"},
    "diagnostics": {"derive", "runtime", "space", "spec"},
    "measuring": {"console", "cost", "onnx_model", "runtime", "space", "spec", "weights"},
    "settings": {"comparison", "measuring"},
    "tables": {"settings", "console", "errors", "runs", "runtime", "space"},
    "certify": {
        "arch_text",
        "bounds",
        "comparison",
        "console",
        "environment",
        "measuring",
        "runtime",
        "settings",
        "space",
        "spec",
    },
    # Training.
    "evaluate": DATA | {"layers.batch_norm"},
    "train": SEARCH_PARTS - {"search.gradient", "supernet"},
    "export": BASE | {"data", "keras_model", "onnx_model"},
    "runs": {"errors"},
    # Programs: anything below them.
    "inputs": {"console", "data", "errors", "space", "spaces"},
    "search_cli": {"*"},
    "search_run": {"*"},
    "supernet_stage": {"*"},
    "race_run": {"*"},
    "sweep_run": {"*"},
    "retrain_run": {"*"},
    "retrain_cli": {"*"},
    "cli": {"*"},
}
PROGRAMS = {name for name, allowed in ALLOWED.items() if allowed == {"*"}}


def modules(package: str) -> dict[str, ast.Module]:
    found = {}
    for path in sorted((ROOT / package).rglob("*.py")):
        parts = path.relative_to(ROOT / package).with_suffix("").parts
        name = ".".join(p for p in parts if p != "__init__")
        found[name] = ast.parse(path.read_text("utf-8"))
    return found


def imports(tree: ast.Module) -> set[str]:
    """Every imported name, also inside functions; `from a import b` gives a and a.b."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


NAS, LATENCY = modules("nas"), modules("latency")


def own_imports(name: str) -> set[str]:
    found = {i.removeprefix("nas.") for i in imports(NAS[name]) if i.startswith("nas.")}
    return {i for i in found if i in NAS and i != name}


@pytest.mark.parametrize("name", [n for n in NAS if n])
def test_direction_inside_nas(name: str) -> None:
    if name.startswith("report"):
        others = {i for i in own_imports(name) if not i.startswith("report")}
        assert others <= REPORT, f"the report reads records only, not {others - REPORT}"
        return
    assert name in ALLOWED, (
        f"Expected every module in the table of allowed imports. Received: a new module "
        f"nas.{name}. Fix: add it to ALLOWED in tests/test_imports.py, as low as it can stand."
    )
    if name in PROGRAMS:
        return
    extra = own_imports(name) - ALLOWED[name]
    assert not extra, f"nas.{name} may not import {extra}; see ALLOWED"
    assert not own_imports(name) & PROGRAMS


def test_table_names_no_module_that_is_gone() -> None:
    assert set(ALLOWED) <= set(NAS)


@pytest.mark.parametrize("name", list(LATENCY))
def test_latency_never_imports_nas_or_a_training_framework(name: str) -> None:
    roots = {i.split(".")[0] for i in imports(LATENCY[name])}
    assert not roots & (HEAVY | {"nas"})


@pytest.mark.parametrize("name", [n for n in NAS if n.startswith("data")])
def test_data_imports_no_training_framework(name: str) -> None:
    assert not {i.split(".")[0] for i in imports(NAS[name])} & HEAVY


@pytest.mark.parametrize("package, tree", [("nas", NAS), ("latency", LATENCY)])
def test_no_cycles_no_stars_no_unsafe_loading(package: str, tree: dict[str, ast.Module]) -> None:
    forbidden = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "imp"}
    for name, module in tree.items():
        assert name.split(".")[-1] not in {"utils", "common", "helpers"}
        assert not {i.split(".")[0] for i in imports(module)} & forbidden, name
        for node in ast.walk(module):
            if isinstance(node, ast.ImportFrom):
                assert all(alias.name != "*" for alias in node.names), name
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in {"eval", "exec", "__import__"}, name
            if isinstance(node, ast.Assert):
                raise AssertionError(f"{package}.{name} checks with assert; raise an error instead")
    graph = {
        name: {
            i.removeprefix(package + ".")
            for i in module_level_imports(module)
            if i.startswith(package + ".") and i.removeprefix(package + ".") in tree
        }
        - {name}
        for name, module in tree.items()
    }
    assert_no_cycle(graph)


def module_level_imports(tree: ast.Module) -> set[str]:
    top = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
    return imports(ast.Module(body=list(top), type_ignores=[]))


def assert_no_cycle(graph: dict[str, set[str]]) -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"import cycle: {' -> '.join((*path, name))}"
        if name not in done:
            for other in graph[name]:
                # `import a.b` runs a/__init__ first; packages re-export, which is no cycle.
                if not name.startswith(other + "."):
                    visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    ).stdout.strip()


@pytest.mark.parametrize(
    "module", ["latency.table", "latency.cli", "nas.spec", "nas.data", "nas.runtime", "nas.cli"]
)
def test_light_parts_start_no_framework(module: str) -> None:
    code = f"import sys, {module}; print(sorted({HEAVY} & set(sys.modules)))"
    assert run_python(code) == "[]"


def test_search_needs_no_framework_until_it_trains() -> None:
    code = f"import sys, nas.search_run; print(sorted({HEAVY} & set(sys.modules)))"
    assert run_python(code) == "[]"


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

"""Python files of a user's own: an error inside of their functions is told with its line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas.cli import program
from nas.errors import InputError, SpaceError
from nas.search_space.named import get_space
from nas.system.user_files import function_called, load_file

SPACE = """
from nas.search_space.knob_space import KnobSpace

def build(values, image_size, num_classes):
    return undefined

SPACE = KnobSpace("own", 16, 2, ({"a": (1, 2)},), build, {"a": 1})
"""


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("def space(image_size, num_classes):\n    return 1 / 0\n", 2, "ZeroDivisionError"),
        ("def space(image_size, num_classes):\n    import nowhere\n", 2, "ModuleNotFoundError"),
        ("import json\ndef space(*_):\n    json.loads('{')\n", 3, "JSONDecodeError"),
        (SPACE, 5, "NameError: name 'undefined'"),
    ],
)
def test_an_error_in_a_function_of_a_file_is_told_with_its_line(
    text: str, line: int, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(InputError) as refused, function_called():
        get_space(str(path), 32, 2)
    assert said in refused.value.received
    assert refused.value.received.endswith(f"{path}, line {line}")


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    """Those of the program itself are defects; those that are told already say what to correct."""
    with pytest.raises(ZeroDivisionError), function_called():
        1 / 0  # noqa: B018 - it is there to be raised
    for name in ("OSError('gone')", "SpaceError('one', 'two', 'three')"):
        path = tmp_path / f"{name[:2]}.py"
        path.write_text(f"from nas.errors import SpaceError\ndef fail():\n    raise {name}\n")
        fail = load_file(path, "--space").fail
        with pytest.raises((OSError, SpaceError)), function_called():
            fail()


@pytest.mark.parametrize("run", [program.run_search, program.run_retrain])
def test_programs_tell_it_as_bad_input(
    run: Callable[[list[str]], int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = tmp_path / "own.py"
    path.write_text("def fail():\n    return undefined\n")

    def work(*arguments: Any) -> int:
        load_file(path, "--space").fail()
        return 0

    monkeypatch.setattr("nas.cli.search.search", work)
    monkeypatch.setattr("nas.cli.retrain.retrain", work)
    assert run(["program"]) == 2
    told = capsys.readouterr().err
    assert f"{path}, line 2" in told and "defect" not in told

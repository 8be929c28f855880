"""The example of docs/python.md runs as it stands, from top to bottom."""

from __future__ import annotations

import re
import runpy
import warnings
from pathlib import Path

import pytest

from tests.support.programs import ROOT, forget_keras, run_program


@pytest.mark.slow
def test_the_example_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawing = ("--layout", "folder", "--output", str(tmp_path / "photos"), "--image_size", "32")
    assert run_program("scripts/make_sample_data.py", *drawing).exit_code == 0
    page = (ROOT / "docs" / "python.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) >= 5
    example = tmp_path / "example.py"
    example.write_text("\n".join(blocks), "utf-8")
    monkeypatch.chdir(tmp_path)
    forget_keras()
    with warnings.catch_warnings():
        # As for a user: what libraries warn of ends nothing.
        warnings.simplefilter("default")
        runpy.run_path(str(example), run_name="__main__")
    printed = capsys.readouterr().out
    assert "looks like" in printed and "expected --target_ms" in printed

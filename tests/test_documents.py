"""README, CONTRIBUTING, CHANGELOG and docs/: widths of lines, links, indexes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from scripts import draw_design
from tests.test_imports import ORDER

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WIDEST = 99


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def too_wide(page: Path) -> list[str]:
    """Lines of 100 characters or more; a row of a table of figures cannot be broken."""
    of_results = page.parent.name == "results"
    lines = page.read_text("utf-8").splitlines()
    return [
        f"{name(page)}:{number}: {len(line)} characters"
        for number, line in enumerate(lines, start=1)
        if len(line) > WIDEST and not (of_results and line.startswith("|"))
    ]


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_lines_stay_below_100_characters(page: Path) -> None:
    assert not too_wide(page)


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_lead_to_files(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        # The API pages are made by the build of the site, which checks the links to them.
        if not target.startswith(("http://", "https://", "#", "api/")):
            assert (page.parent / target.partition("#")[0]).exists(), f"{name(page)}: {target}"


@pytest.mark.parametrize("folder", ["decisions", "results"])
def test_an_index_lists_every_page_of_its_folder_once(folder: str) -> None:
    index = ROOT / "docs" / folder / "README.md"
    linked = sorted(re.findall(r"\]\(([^)#]+\.md)\)", index.read_text("utf-8")))
    assert linked == sorted({path.name for path in index.parent.glob("*.md")} - {index.name})


def test_no_two_decisions_share_a_number() -> None:
    numbers = [path.name[:4] for path in (ROOT / "docs" / "decisions").glob("0*.md")]
    assert sorted(numbers) == sorted(set(numbers))


def test_design_lists_the_folders_in_the_order_of_their_imports() -> None:
    page = (ROOT / "docs" / "design.md").read_text("utf-8")
    listed = re.findall(r"^\| `((?:latency|nas)/\w+)` \|", page, re.MULTILINE)
    folders = [entry.replace(".", "/") for entry in ORDER]
    assert listed == [folder for folder in folders if (ROOT / folder).is_dir()]


def test_the_picture_of_the_design_is_as_its_script_draws_it() -> None:
    assert draw_design.PICTURE.read_text("utf-8") == draw_design.draw()
    assert all((ROOT / folder).is_dir() for folder in draw_design.folders())

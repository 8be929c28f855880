"""What mkdocs.yml cannot say: the first page is the README, and every folder has an API page.

mkdocs calls the functions whose names begin with `on_`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
PACKAGES = ("latency", "nas")


def home(readme: str) -> str:
    """README.md as a page of docs/.

    Args:
        readme: Text of README.md. Links into docs/ are seen from there; the name of any other
            file of the repository stays as plain text.
    """
    seen_from_docs = readme.replace("](docs/", "](")
    return re.sub(r"(?<!!)\[([^]]+)\]\([A-Z]+(?:\.md)?\)", r"\1", seen_from_docs)


def api_pages(root: Path) -> dict[str, str]:
    """Dotted name of each package and each folder of it -> the text of its page.

    Args:
        root: Folder of the repository.
    """
    pages = {}
    for package in PACKAGES:
        files = [path for path in (root / package).glob("*.py") if not path.stem.startswith("_")]
        modules = "".join(f"\n::: {package}.{path.stem}\n" for path in sorted(files))
        # The folders below have pages of their own.
        options = "    options:\n      show_submodules: false\n"
        called = f"{package}.interface"
        link = f"What is called from outside is in [{called}]({called}.md).\n\n"
        link = link if (root / package / "interface").is_dir() else ""
        pages[package] = f"# {package}\n\n{link}::: {package}\n{options}{modules}"
        for path in sorted((root / package).glob("*/__init__.py")):
            name = f"{package}.{path.parent.name}"
            pages[name] = f"# {name}\n\n::: {name}\n"
    return pages


def on_config(config: Any) -> Any:
    """Lists the API pages in the navigation."""
    pages = list(api_pages(ROOT))
    sections = [
        {package: [{name: f"api/{name}.md"} for name in pages if name.split(".")[0] == package]}
        for package in reversed(PACKAGES)
    ]
    config.nav.append({"API": sections})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Adds the API pages to the files of the site."""
    for name, text in api_pages(ROOT).items():
        files.append(File.generated(config, f"api/{name}.md", content=text))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Puts the README in the place of the stand-in docs/index.md."""
    return home(README.read_text("utf-8")) if page.file.src_uri == "index.md" else markdown

"""The documents' links lead somewhere, and the map of the code is whole."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PACKAGES = ("features", "models", "training", "serving")


def missing_links(page: Path, text: str) -> list[str]:
    """Give the relative links of a page whose file, or whose heading in it, is not there."""
    found = re.findall(r"\]\(([^)\s]+)\)", text)
    relative = [link.partition("#") for link in found if not re.match(r"[a-z]+:", link)]
    return [
        file + mark + heading
        for file, mark, heading in relative
        if not (target := page.parent / file if file else page).exists()
        or (heading and heading not in headings(target))
    ]


def headings(page: Path) -> set[str]:
    """Give a page's headings as links name them."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def map_faults(text: str, modules: list[str]) -> list[str]:
    """Give what the map names and is not there, and the modules that it does not name.

    A folder, named with a closing stroke, stands for the modules right in it.
    """
    named = set(re.findall(rf"`((?:{'|'.join(PACKAGES)})/[\w/.]*)`", text))
    absent = [name for name in named if not (ROOT / name).exists()]
    folders = {name for name in named - {f"{package}/" for package in PACKAGES} if name[-1] == "/"}
    untold = [
        module
        for module in modules
        if module not in named and f"{module.rpartition('/')[0]}/" not in folders
    ]
    return sorted(absent + untold)


def modules() -> list[str]:
    """Name every module of the packages."""
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    return sorted(f.relative_to(ROOT).as_posix() for f in files if f.name != "__init__.py")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_document_leads_somewhere(page: Path) -> None:
    assert missing_links(page, page.read_text(encoding="utf-8")) == []


def test_a_link_to_nowhere_is_found() -> None:
    text = "[a](nowhere.md) [b](README.md#no-such-heading) [c](https://example.com) [d](docs/)"
    assert missing_links(ROOT / "README.md", text) == ["nowhere.md", "README.md#no-such-heading"]


def test_the_map_names_every_module_and_none_that_is_not_there() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    assert map_faults(text, modules()) == []


def test_a_module_off_the_map_and_a_name_of_nothing_are_found() -> None:
    text = "`models/gate.py` `models/gone.py` `features/families/` `serving/`"
    told = ["models/gate.py", "features/families/usage.py", "serving/api/app.py", "models/new.py"]
    assert map_faults(text, told) == ["models/gone.py", "models/new.py", "serving/api/app.py"]

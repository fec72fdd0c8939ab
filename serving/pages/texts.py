"""What the pages say: one catalogue for each language, and nothing said elsewhere."""

import tomllib
from functools import cache
from pathlib import Path

from serving.pages.languages import DEFAULT, language_in_use


@cache
def catalogue(language: str = DEFAULT) -> dict[str, str]:
    """Read a catalogue: texts by key, those of a table as ``table.key``."""
    file = Path(__file__).with_name(f"{language}.toml")
    read = tomllib.loads(file.read_text(encoding="utf-8"))
    plain = {key: text for key, text in read.items() if isinstance(text, str)}
    tables = {key: table for key, table in read.items() if isinstance(table, dict)}
    return plain | {
        f"{name}.{key}": text for name, table in tables.items() for key, text in table.items()
    }


def say(key: str, **values: object) -> str:
    """Say a text with its values, in the language of whoever asked; an unknown key fails."""
    return catalogue(language_in_use())[key].format(**values)

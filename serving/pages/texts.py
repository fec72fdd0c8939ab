"""What the pages say: one catalogue for each language, and nothing said elsewhere."""

import tomllib
from collections.abc import Callable
from pathlib import Path

Say = Callable[..., str]


def catalogue(language: str = "en") -> dict[str, str]:
    """Read a catalogue: texts by key, those of a table as ``table.key``."""
    file = Path(__file__).with_name(f"{language}.toml")
    read = tomllib.loads(file.read_text(encoding="utf-8"))
    plain = {key: text for key, text in read.items() if isinstance(text, str)}
    tables = {key: table for key, table in read.items() if isinstance(table, dict)}
    return plain | {
        f"{name}.{key}": text for name, table in tables.items() for key, text in table.items()
    }


def speaker(language: str = "en") -> Say:
    """Give what says a text of the catalogue with its values; a key that is not there fails."""
    texts = catalogue(language)

    def say(key: str, **values: object) -> str:
        return texts[key].format(**values)

    return say

"""How names are searched and ordered: without case and accents, alike in every database."""

import unicodedata

ESCAPE = "\\"


def folded(text: str) -> str:
    """Give a text without case and accents: ``Ärzte`` and ``ARZTE`` are both ``arzte``."""
    apart = unicodedata.normalize("NFKD", text.casefold())
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def searched(name: str | None, account_id: str) -> str:
    """Give what an account is found and ordered by: what it is called, then its id."""
    return folded(f"{name or account_id}\n{account_id}")


def pattern(asked: str) -> str:
    """Give the pattern of LIKE that finds a text anywhere; it is to be escaped by `ESCAPE`."""
    text = folded(asked)
    for special in (ESCAPE, "%", "_"):
        text = text.replace(special, ESCAPE + special)
    return f"%{text}%"

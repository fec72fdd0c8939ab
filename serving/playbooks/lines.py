"""Where the tables and keys of a TOML text stand, which `tomllib` does not tell."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

TOKEN = re.compile(
    r"""
    (?P<comment> \#[^\n]* )
    | (?P<text>
        \"\"\" (?:\\.|[^\\])*? \"\"\" "{0,2}   # a quote or two may stand before the closing three
        | ''' .*? ''' '{0,2}
        | " (?:\\.|[^"\\\n])* "
        | ' [^'\n]* '
    )
    | (?P<newline> \n )
    | (?P<mark> [\[\]{}=,] )
    | (?P<blank> [^\S\n]+ )
    | (?P<word> [^\s\[\]{}=,#"']+ )
    """,
    re.VERBOSE | re.DOTALL,
)
PART = re.compile(r""""[^"]*"|'[^']*'|[^.]+""")
OPENING, CLOSING = frozenset("[{"), frozenset("]}")
WHOLE = ""


@dataclass(frozen=True)
class Lines:
    """The lines of a text, from 1: by table (``play``), which one of them, and key."""

    found: Mapping[tuple[str, int, str], int]

    def of(self, table: str, at: int = 0, key: str = WHOLE) -> int:
        """Give the line of a key; of its table where it is not found; of all such tables else."""
        places = ((table, at, key), (table, at, WHOLE), (WHOLE, 0, table))
        if table == WHOLE:
            places = ((WHOLE, 0, key), (key, 0, WHOLE), (WHOLE, 0, WHOLE))
        return next((self.found[place] for place in places if place in self.found), 1)


def lines_of(text: str) -> Lines:
    """Find the lines of a text that `tomllib` has read without an error."""
    found: dict[tuple[str, int, str], int] = {}
    seen: Counter[str] = Counter()
    table, inside = WHOLE, WHOLE
    for line, tokens in _statements(text):
        if tokens[0] not in OPENING:
            key = inside or _names(tokens[: tokens.index("=")])[0]
            found.setdefault((table, max(seen[table] - 1, 0), key), line)
            continue
        table, inside = [*_names([each for each in tokens if each not in "[]"]), WHOLE][:2]
        if tokens[:2] == ["[", "["] and not inside:
            seen[table] += 1
        found.setdefault((table, max(seen[table] - 1, 0), inside), line)
    return Lines(found)


def _statements(text: str) -> Iterator[tuple[int, list[str]]]:
    """Give each header and each assignment: its first line, and its tokens without comments."""
    line, first, depth = 1, 1, 0
    tokens: list[str] = []
    for found in TOKEN.finditer(text):
        token = found[0]
        if found.lastgroup == "newline" and depth == 0:
            if tokens:
                yield first, tokens
            tokens = []
        elif found.lastgroup in {"text", "mark", "word"}:
            first = first if tokens else line
            tokens.append(token)
            depth += (token in OPENING) - (token in CLOSING)
        line += token.count("\n")
    if tokens:
        yield first, tokens


def _names(tokens: Sequence[str]) -> list[str]:
    """Part a dotted key into its names."""
    return [part.strip("\"'") for part in PART.findall("".join(tokens))]

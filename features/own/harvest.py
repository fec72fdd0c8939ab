"""Features of one's own: declared in Python files outside the package, named in `tenure.toml`.

Such a file is code, and reading it runs it: whoever may write it may do what Tenure may do.
"""

import hashlib
import io
import json
import runpy
import traceback
from collections.abc import Iterable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from features.catalog import catalog
from features.declare import Feature
from features.errors import FeatureError
from features.home import Home, private
from features.own.rules import keep_to_the_rules

DECLARED = "FEATURES"


@dataclass(frozen=True)
class Own:
    """Features from a company's own files.

    Parameters
    ----------
    features
        In the order of the files and of their declarations.
    digest
        SHA-256 over the files, in hexadecimal: what was built by other files is not theirs. Empty
        without any.
    """

    features: tuple[Feature, ...] = ()
    digest: str = ""

    def beside(self, ours: Iterable[Feature]) -> tuple[Feature, ...]:
        """Give the whole catalogue: ours, then these."""
        return (*ours, *self.features)


def harvest(files: Sequence[Path]) -> Own:
    """Run feature files and take the `FEATURES` that each one declares.

    Raises
    ------
    FeatureError
        When a file is missing, does not run, prints, or declares no features; when one of them
        breaks the rules of `features.own.rules`.
    """
    if not files:
        return Own()
    digest = hashlib.sha256(b"\0".join(_text(file) for file in files)).hexdigest()
    found = [(file, feature) for file in files for feature in _declared(file, _run(file))]
    keep_to_the_rules(found, catalog())
    return Own(tuple(feature for _, feature in found), digest)


def keep_passed(own: Own, home: Home) -> None:
    """Keep that these very files passed `features.own.checks.try_out`."""
    columns = [feature.column for feature in own.features]
    file = private(home.own_features) / f"{own.digest}.json"
    file.write_text(json.dumps({"passed": columns}) + "\n", encoding="utf-8")


def has_passed(own: Own, home: Home) -> bool:
    """Tell whether these very files passed; where there are none, there is nothing to pass."""
    return not own.digest or (home.own_features / f"{own.digest}.json").is_file()


def demand_passed(own: Own, home: Home) -> None:
    """Raise FeatureError unless these very files have passed: a model would learn from a leak."""
    if not has_passed(own, home):
        raise FeatureError(
            f"Expected features of your own that passed their check, got {len(own.features)} that "
            "have not, as their files stand now. Run: tenure features SOURCE --check"
        )


def _text(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise FeatureError(
            f"Expected a feature file at {file}, got: {error.strerror}. "
            "Correct `features` in tenure.toml; its paths are relative to that file."
        ) from error


def _run(file: Path) -> Mapping[str, Any]:
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            found = runpy.run_path(str(file), run_name=f"features of {file.name}")
    except SyntaxError as error:
        raise FeatureError(
            f"Expected Python in {file}, got a fault in line {error.lineno}: {error.msg}. "
            "Correct that line."
        ) from error
    except (Exception, SystemExit) as error:
        raise FeatureError(
            f"Expected {file} to declare features and do nothing else, got {type(error).__name__} "
            f"in line {_line(file, error)}: {error}. Correct it; such a file stands alone, and "
            "imports installed packages only."
        ) from error
    if printed.getvalue():
        raise FeatureError(
            f"Expected {file} to declare features and do nothing else, but it prints "
            f"{printed.getvalue().strip()[:40]!r}. Take the print away."
        )
    return found


def _line(file: Path, error: BaseException) -> int:
    frames = traceback.extract_tb(error.__traceback__)
    return max((frame.lineno or 0 for frame in frames if frame.filename == str(file)), default=0)


def _declared(file: Path, found: Mapping[str, Any]) -> tuple[Feature, ...]:
    declared = found.get(DECLARED)
    if isinstance(declared, Feature):
        declared = (declared,)
    if not isinstance(declared, tuple | list) or not declared:
        got = "none" if declared is None else f"{declared!r:.60}"
        raise FeatureError(
            f"Expected a tuple {DECLARED} of features in {file}, got {got}. "
            f"End the file with {DECLARED} = (Feature(...), ...)."
        )
    for number, each in enumerate(declared, start=1):
        if not isinstance(each, Feature):
            cure = "Write *over(...)." if isinstance(each, tuple) else "Make it a Feature(...)."
            raise FeatureError(
                f"Expected a Feature at place {number} of {DECLARED} in {file}, got a "
                f"{type(each).__name__}. {cure}"
            )
    return tuple(declared)

"""All features, harvested from the families, and what is written about them."""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from features import families
from features.checked import CheckedSource
from features.declare import Extreme, Facts, Feature, Formula, View


def catalog() -> tuple[Feature, ...]:
    """Give every declared feature, family by family, in the order of declaration."""
    pages = sorted(module.name for module in iter_modules(families.__path__))
    modules = [import_module(f"{families.__name__}.{page}") for page in pages]
    return tuple(feature for module in modules for feature in module.FEATURES)


def available(source: CheckedSource) -> tuple[Feature, ...]:
    """Give the features that a source can bear: it has their tables and columns.

    A column that the source overwrites, without versions, bears none; nor does a missing table:
    its features are absent, not zero.
    """
    raise NotImplementedError


def catalog_json(features: Iterable[Feature]) -> list[dict[str, Any]]:
    """Give the catalogue's entries, one for each feature, as JSON values.

    An entry has column, group, subject, unit, description, text (level, rising, falling, missing,
    against), risk, missing, sources, window_days and units: those of the columns that the text
    names.
    """
    raise NotImplementedError


def features_fingerprint(features: Iterable[Feature]) -> str:
    """Give the SHA-256 over everything that fixes the features' meaning, in hexadecimal."""
    raise NotImplementedError


def sentence(entry: Mapping[str, Any], row: Mapping[str, float]) -> str:
    """Give the sentence that a CSM reads: a catalogue entry with an account's own numbers.

    Parameters
    ----------
    entry
        As `catalog_json` gives it.
    row
        The account's feature row; a missing column, None and NaN are null.
    """
    raise NotImplementedError


def catalogue_markdown(features: Iterable[Feature]) -> str:
    """Give docs/features.md: a table of the features of each group."""
    raise NotImplementedError

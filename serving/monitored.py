"""What `tenure monitor` found last: kept by the verb, shown to the operator; without accounts."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import msgspec

from features.home import Home, private
from models.record import plain

OWNER_ONLY = 0o600
HALF = ".half"


class Drift(msgspec.Struct, frozen=True):
    """How far one column has moved, as `training.monitor.Drift` has it."""

    column: str
    index: float | None
    level: Literal["steady", "moved", "far", "unknown"]


class Interval(msgspec.Struct, frozen=True):
    """A figure between its bounds; without them it is known by itself alone."""

    value: float
    low: float | None = None
    high: float | None = None


class Figures(msgspec.Struct, frozen=True):
    """The figure of past scores that says whether probabilities mean what they say."""

    observed_over_expected: Interval | None = None


class Calibration(msgspec.Struct, frozen=True):
    """Past scores of one horizon against what came true, as `training.monitor` has it."""

    horizon_days: int
    rows: int
    events: int
    expected: float
    figures: Figures


class Report(msgspec.Struct, frozen=True):
    """What was found of one version of a model."""

    model: str
    model_version: str
    features: tuple[Drift, ...]
    scores: tuple[Drift, ...]
    calibration: tuple[Calibration, ...]


class Monitored(msgspec.Struct, frozen=True):
    """One run of `tenure monitor`: when, on an extract of when, naive UTC, and what it found."""

    at: datetime
    extracted_at: datetime
    reports: tuple[Report, ...]


def keep(
    home: Home, at: datetime, extracted_at: datetime, reports: Sequence[Mapping[str, Any]]
) -> Path:
    """Keep what was found in place of what was found before, readable by the owner alone.

    Parameters
    ----------
    reports
        `training.monitor.MonitorReport.to_json`, each with its model_version.
    """
    found = {"at": at, "extracted_at": extracted_at, "reports": [plain(each) for each in reports]}
    file = private(home.reports) / home.monitored.name
    half = file.with_suffix(HALF)
    half.unlink(missing_ok=True)
    number = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)
    with os.fdopen(number, "wb") as opened:
        opened.write(msgspec.json.encode(found))
    half.replace(file)
    return file


def last(home: Home) -> Monitored | None:
    """Give what was found last; None where nothing that can be read is kept."""
    try:
        return msgspec.json.decode(home.monitored.read_bytes(), type=Monitored)
    except (OSError, msgspec.DecodeError):
        return None

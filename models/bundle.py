"""A model as text and JSON: booster or weights, calibration, catalogue. No pickle anywhere."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.errors import ModelError
from models import intervals
from models.amount import Amount, amount_from_json, by_horizon
from models.boosted import Boosted, demand_columns
from models.calibration import Calibration, calibration_from_json
from models.cells import feature_matrix, feature_row
from models.explained import Explained, explained, nothing_explained
from models.linear import Linear, linear_from_json
from models.next_product import NextProducts, next_products_from_json
from models.peers import Peers, peers_from_json
from models.question import Question, question_from_json
from models.renewal import AtTermEnd, at_term_end_from_json, term_columns, term_of

BOOSTER_FILE = "booster.txt"
LINEAR_FILE = "linear.json"
AMOUNT_FILE = "amount.json"
BUNDLE_FILE = "bundle.json"
MANIFEST_FILE = "manifest.json"

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Bundle:
    """One trained model with all that it takes to score, explain and check a row.

    Attributes
    ----------
    question
        What is answered.
    features
        Names of the feature columns, in the booster's order.
    catalogue
        Catalogue entries of those features, as `features.catalog.catalog_json` gives them.
    features_fingerprint
        Of the declarations that the features were built by.
    booster_text
        LightGBM's own text format; its columns are ``features`` and the interval covariates.
        Empty where the model is linear.
    calibration
        Of the log odds, fitted on a later slice than the booster.
    base_rates
        Share with the event by horizon in days, among the training rows.
    version, trained_at
        Name of this model, and when it was trained (naive UTC).
    as_of_range
        First training date, and the border: each training window and its grace ended by then, so
        that rows from the border on are unseen.
    categories
        The known values of each categorical feature; others count as missing.
    linear
        The model of a company with few events, over the same columns; else None.
    at_term_end
        How losses lie around the ends of signed terms, of a model of churn; None in bundles of
        before there was one, which give no probability to renew.
    amount
        How much MRR an expansion adds; None for another outcome.
    next_products
        Which product is taken up next; None for another outcome, and where there is but one.
    peers
        With what an account's numbers are compared; None in bundles of before there were any.
    """

    question: Question
    features: tuple[str, ...]
    catalogue: tuple[Mapping[str, Any], ...]
    features_fingerprint: str
    booster_text: str
    calibration: Calibration
    base_rates: Mapping[int, float]
    version: str
    trained_at: datetime
    as_of_range: tuple[date, date]
    categories: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    linear: Linear | None = None
    at_term_end: AtTermEnd | None = None
    amount: Amount | None = None
    next_products: NextProducts | None = None
    peers: Peers | None = None

    def with_version(self, version: str) -> "Bundle":
        """Return the same model under another version, as a registry numbers it."""
        return replace(self, version=version)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over all that is served of the model but its version and when it was trained.

        A bundle of before there were peers keeps the digest that it had, which knows of neither
        base rates nor mean shares.
        """
        if self.peers is None:
            return _sha256(_older_parts(self))
        same = replace(self, version="", trained_at=datetime.min)  # noqa: DTZ901 - naive UTC
        amount = "" if self.amount is None else self.amount.to_text()
        return _sha256([self.model_file[1], _to_json(same), amount])

    @property
    def model_file(self) -> tuple[str, str]:
        """Name and text of the file that holds the numbers."""
        if self.linear is None:
            return BOOSTER_FILE, self.booster_text
        return LINEAR_FILE, self.linear.to_text()

    @cached_property
    def boosted(self) -> Boosted:
        """The trees, read from their text at first use."""
        return Boosted(self.booster_text)

    def probabilities(self, rows: pd.DataFrame) -> Floats:
        """Give P(event within h) of each row, shape (n, horizons), rising with the horizon.

        Raises
        ------
        ModelError
            When a feature column is absent. Columns are found by name; their order is free.
        """
        if rows.empty:
            return np.empty((0, len(self.question.horizons_days)))
        return intervals.cumulative(_logistic(self.calibration.log_odds(self.raw_log_odds(rows))))

    def cells_of(self, values: Mapping[str, str | float | None]) -> NDArray[np.float32]:
        """Give the features of one row by name as numbers, shape (1, features).

        Raises
        ------
        ModelError
            When a feature is absent, or text where the model expects a number.
        """
        return feature_row(values, self.features, self.categories, self.question.name)

    def probabilities_of(
        self,
        values: Mapping[str, str | float | None],
        cells: NDArray[np.float32] | None = None,
    ) -> Floats:
        """Give of one row by name what `probabilities` gives of a table's: shape (horizons,).

        A hundred times as fast. Of a model that has no features of terms, the row may have them.

        Parameters
        ----------
        values
            The row.
        cells
            What `cells_of` gave of it, if that was asked.

        Raises
        ------
        ModelError
            When a feature is absent, or text where the model expects a number.
        """
        told = self.cells_of(values) if cells is None else cells
        laid = intervals.matrix(told, intervals.covariates_of(self.question, *term_of(values)))
        log_odds = self.calibration.log_odds(self._raw(laid, 1))
        return np.asarray(intervals.cumulative(_logistic(log_odds))[0])

    def renewal_probabilities(self, rows: pd.DataFrame, probabilities: Floats) -> Floats:
        """Give P(renewed at the next end of the signed term) of each row, shape (n,).

        `probabilities` are what `probabilities` gave of the rows. NaN without a term, where it ends
        beyond the last horizon, and from a model that does not tell: of another outcome than churn,
        or of an older release.
        """
        if self.at_term_end is None:
            return np.full(len(rows), np.nan)
        return self.at_term_end.renewal_probabilities(self.question, probabilities, rows)

    def renewal_probability_of(
        self, values: Mapping[str, str | float | None], probabilities: Floats
    ) -> float:
        """Give of one row by name what `renewal_probabilities` gives of a table's; maybe NaN."""
        if self.at_term_end is None:
            return math.nan
        return self.at_term_end.renewal_probability_of(
            self.question, probabilities, *term_of(values)
        )

    def added_shares(self, rows: pd.DataFrame) -> Floats:
        """Give what an expansion within each horizon adds by then, per MRR: (n, horizons).

        It is given that the row expands. NaN for another outcome than expansion, and at a horizon
        within which no expansion was seen.
        """
        horizons = self.question.horizons_days
        if self.amount is None:
            return np.full((len(rows), len(horizons)), np.nan)
        names = self.features if self.amount.shape else ()
        cells = feature_matrix(rows, names, self.categories, self.question.name)
        return self.amount.shares(cells, horizons)

    def raw_log_odds(self, rows: pd.DataFrame) -> Floats:
        """Give the log odds before calibration, shape (n, intervals)."""
        return self._raw(self._matrix(rows), len(rows))

    def contributions(self, rows: pd.DataFrame, horizon_days: int) -> Floats:
        """Give each feature's effect in calibrated log odds, shape (n, features)."""
        return self.explained(rows, horizon_days).effects

    def explained(self, rows: pd.DataFrame, horizon_days: int) -> Explained:
        """Explain rows by TreeSHAP (Lundberg et al. 2020, doi:10.1038/s42256-019-0138-9).

        A linear model is a sum over columns, and its terms are the effects.

        Raises
        ------
        ModelError
            When a feature column is absent, or the horizon is not one of the question's.
        """
        count = self._intervals_within(horizon_days)
        return self._explained(rows, (count,))[0]

    def explained_by_horizon(self, rows: pd.DataFrame) -> dict[int, Explained]:
        """Explain rows at each horizon, for the price of the longest one.

        Raises
        ------
        ModelError
            When a feature column is absent.
        """
        horizons = self.question.horizons_days
        counts = tuple(range(1, len(horizons) + 1))
        return dict(zip(horizons, self._explained(rows, counts), strict=True))

    def _explained(self, rows: pd.DataFrame, counts: Sequence[int]) -> list[Explained]:
        """Explain rows over the first so many intervals, for each of the counts."""
        if rows.empty:
            return [nothing_explained(self.features)] * len(counts)
        most = max(counts)
        cells = self._matrix(rows).reshape(len(rows), -1, len(self.columns))[:, :most]
        flat = cells.reshape(-1, len(self.columns))
        parts = self._parts(flat).reshape(len(rows), most, -1)
        log_odds = self.calibration.log_odds(self._raw(flat, len(rows)))
        slope = self.calibration.slope
        return [
            explained(parts[:, :count], log_odds[:, :count], slope, self.features)
            for count in counts
        ]

    @property
    def columns(self) -> tuple[str, ...]:
        """The booster's columns: the features, then the interval covariates."""
        return (*self.features, *intervals.COVARIATES)

    def base_rate(self, horizon_days: int) -> float:
        """Share with the event within a horizon among the training rows."""
        self._intervals_within(horizon_days)
        return self.base_rates[horizon_days]

    def bands(self, probabilities: Floats, horizon_days: int) -> list[str]:
        """Name the band of each probability at a horizon, against its base rate."""
        base_rate = self.base_rate(horizon_days)
        return [self.question.band(float(value), base_rate) for value in probabilities]

    def _intervals_within(self, horizon_days: int) -> int:
        if horizon_days not in self.question.horizons_days:
            raise ModelError(
                f"Expected a horizon among {self.question.horizons_days} days for the model "
                f"{self.question.name!r}, got {horizon_days}. Ask for one of those."
            )
        return self.question.horizons_days.index(horizon_days) + 1

    def _matrix(self, rows: pd.DataFrame) -> NDArray[np.float32]:
        cells = feature_matrix(rows, self.features, self.categories, self.question.name)
        return intervals.matrix(cells, row_covariates(self.question, rows))

    def _raw(self, cells: NDArray[np.float32], rows: int) -> Floats:
        if self.linear is not None:
            return self.linear.log_odds(cells).reshape(rows, -1)
        return self.boosted.sums(cells).reshape(rows, -1)

    def _parts(self, cells: NDArray[np.float32]) -> Floats:
        """Give what each column adds to the raw log odds, and last what they start from."""
        if self.linear is not None:
            start = np.full((len(cells), 1), self.linear.intercept)
            return np.hstack([self.linear.effects(cells), start])
        return self.boosted.contributions(cells)


def row_covariates(question: Question, rows: pd.DataFrame) -> Floats:
    """Describe the question's intervals for feature rows; without term columns, as termless."""
    return intervals.covariates(question, *term_columns(rows))


def _logistic(log_odds: Floats) -> Floats:
    return 1.0 / (1.0 + np.exp(-log_odds))


def _older_parts(bundle: Bundle) -> list[str]:
    parts = [
        bundle.model_file[1],
        json.dumps(asdict(bundle.calibration)),
        json.dumps(asdict(bundle.question)),
        json.dumps([bundle.features, dict(bundle.categories)]),
    ]
    if bundle.at_term_end is not None:  # still older bundles keep the digest that they had
        parts.append(json.dumps(asdict(bundle.at_term_end)))
    if bundle.amount is not None and bundle.amount.shape is not None:
        parts.append(bundle.amount.to_text())
    if bundle.next_products is not None:
        parts.append(json.dumps(bundle.next_products.to_json()))
    return parts


def _sha256(parts: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def save(bundle: Bundle, folder: Path) -> None:
    """Write a bundle as text and JSON, and a manifest with the SHA-256 of each file."""
    folder.mkdir(parents=True, exist_ok=True)
    files = dict([bundle.model_file, (BUNDLE_FILE, _to_json(bundle))])
    if bundle.amount is not None:
        files[AMOUNT_FILE] = bundle.amount.to_text()
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
    sums = {name: hashlib.sha256(text.encode()).hexdigest() for name, text in files.items()}
    (folder / MANIFEST_FILE).write_text(json.dumps(sums, indent=2) + "\n", encoding="utf-8")


def load(folder: Path) -> Bundle:
    """Read a bundle back.

    Raises
    ------
    ModelError
        When a file is absent, its bytes changed since it was saved, or it cannot be read.
    """
    try:
        sums = json.loads((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        numbers = LINEAR_FILE if LINEAR_FILE in sums else BOOSTER_FILE
        needed = (numbers, BUNDLE_FILE, *(name for name in (AMOUNT_FILE,) if name in sums))
        texts = {name: (folder / name).read_bytes() for name in needed}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"Expected a model bundle in {folder}, got {error}. Train the model again."
        ) from error
    for name, content in texts.items():
        if not isinstance(sums, dict) or sums.get(name) != hashlib.sha256(content).hexdigest():
            raise ModelError(
                f"Expected {folder / name} as it was saved, got other bytes (its SHA-256 is not "
                "the manifest's). Restore the folder or train the model again."
            )
    bundle = _from_json(json.loads(texts[BUNDLE_FILE]))
    if AMOUNT_FILE in texts:
        bundle = replace(bundle, amount=amount_from_json(json.loads(texts[AMOUNT_FILE])))
    text = texts[numbers].decode()
    if numbers == BOOSTER_FILE:
        demand_columns(text, bundle.columns)
        return replace(bundle, booster_text=text)
    return replace(bundle, linear=linear_from_json(json.loads(text)))


def _to_json(bundle: Bundle) -> str:
    fields = {
        "question": asdict(bundle.question),
        "features": bundle.features,
        "catalogue": [dict(entry) for entry in bundle.catalogue],
        "features_fingerprint": bundle.features_fingerprint,
        "calibration": asdict(bundle.calibration),
        "base_rates": {str(days): rate for days, rate in bundle.base_rates.items()},
        "version": bundle.version,
        "trained_at": bundle.trained_at.isoformat(),
        "as_of_range": [day.isoformat() for day in bundle.as_of_range],
        "categories": {name: list(values) for name, values in bundle.categories.items()},
        "next_products": bundle.next_products and bundle.next_products.to_json(),
        "at_term_end": None if bundle.at_term_end is None else asdict(bundle.at_term_end),
        "peers": bundle.peers and bundle.peers.to_json(),
    }
    return json.dumps(fields, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _from_json(fields: Mapping[str, Any]) -> Bundle:
    first, last = (date.fromisoformat(day) for day in fields["as_of_range"])
    return Bundle(
        question=question_from_json(fields["question"]),
        features=tuple(fields["features"]),
        catalogue=tuple(fields["catalogue"]),
        features_fingerprint=fields["features_fingerprint"],
        booster_text="",
        calibration=calibration_from_json(fields["calibration"]),
        base_rates=by_horizon(fields["base_rates"]),
        version=fields["version"],
        trained_at=datetime.fromisoformat(fields["trained_at"]),
        as_of_range=(first, last),
        categories=MappingProxyType(
            {name: tuple(values) for name, values in fields["categories"].items()}
        ),
        at_term_end=at_term_end_from_json(fields.get("at_term_end")),
        amount=_older_amount(fields),
        next_products=next_products_from_json(fields.get("next_products")),
        peers=peers_from_json(fields.get("peers")),
    )


def _older_amount(fields: Mapping[str, Any]) -> Amount | None:
    """Give the mean shares that bundles of before `AMOUNT_FILE` kept among their fields."""
    if fields["question"]["outcome"] != "expansion" or "added_share" not in fields:
        return None
    return Amount(by_horizon(fields["added_share"]))

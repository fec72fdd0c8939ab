"""The audit of a company's own history, made before each training and as `tenure audit`."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from features.built import Built
from features.poison import Poisoned
from models.audit_checks import LABEL_WINDOWS, LATER_ROWS, SINGLE_COLUMNS, TRAIN_AND_NOW
from models.question import Question
from training.audit.columns import audit
from training.audit.finding import Audited, Finding
from training.audit.label_windows import Slice, label_windows
from training.audit.later_rows import later_rows
from training.audit.train_and_now import train_and_now
from training.splits import Split, outcome_known_by

AUDITED_ROWS = 10_000
NOW_DATES = 4
"""The newest dates are those of today: several, so that no single day's calendar tells them."""

Checked = tuple[str, tuple[Finding, ...]]


def audited(
    built: Built,
    rows: pd.DataFrame,
    question: Question,
    features: Sequence[str],
    split: Split,
    *,
    accept: Sequence[str] = (),
    poisoned: Poisoned | None = None,
) -> Audited:
    """Hold what a model is about to learn from against each check.

    Parameters
    ----------
    built
        States and features at all dates, those too young for a label among them.
    rows
        `training.prepare.labelled_rows` on record.
    features
        The columns of the model.
    split
        The borders of the training.
    accept
        Columns and checks whose findings somebody takes on by name.
    poisoned
        The poison test of the same `built`, where it was made before.

    Raises
    ------
    TenureError
        When `accept` names what is neither a feature, nor a state, nor a check.
    """
    parts = {
        SINGLE_COLUMNS: _single_columns(rows, question, features, split),
        LATER_ROWS: later_rows(built, features, poisoned),
        LABEL_WINDOWS: _windows(built, rows, question, split),
        TRAIN_AND_NOW: _now(built, rows, question, features, split),
    }
    findings = [finding for _, found in parts.values() for finding in found]
    ordered = tuple(sorted(findings, key=lambda finding: not finding.blocking))
    said = {name: told for name, (told, _) in parts.items()}
    return Audited(question.name, said, ordered).accepting(accept, [*built.states, *built.table])


def _single_columns(
    rows: pd.DataFrame, question: Question, features: Sequence[str], split: Split
) -> Checked:
    """Hold the features against the outcomes known at the border, on a sample of the rows."""
    outcome = outcome_known_by(rows, question.main_horizon_days, split.test_from, question)
    known = rows[np.isfinite(outcome)].assign(_outcome=outcome[np.isfinite(outcome)])
    sample = known.sample(min(len(known), AUDITED_ROWS), random_state=0)
    groups = sample["customer_group"].to_numpy()
    ended = sample["event_days"].notna().to_numpy()
    found = audit(sample, sample["_outcome"].to_numpy(), features, groups, ended)
    said = (
        f"{len(features)} columns were held, each alone, against {question.name} within "
        f"{question.main_horizon_days} days and at any time, in {len(sample):,} rows."
    )
    return said, found


def _windows(built: Built, rows: pd.DataFrame, question: Question, split: Split) -> Checked:
    horizon = question.main_horizon_days
    days = horizon + question.grace_days
    border, as_of = np.datetime64(split.test_from), rows["as_of"].to_numpy("datetime64[us]")

    def learned(until: np.datetime64) -> np.ndarray:
        known = outcome_known_by(rows, horizon, pd.Timestamp(until).to_pydatetime(), question)
        return as_of[np.isfinite(known)]

    end = np.datetime64(built.source.extracted_at)
    later = as_of[split.is_test(rows["as_of"])]
    known_later = rows["observed_days"].to_numpy(float)[split.is_test(rows["as_of"])] >= horizon
    slices = [Slice("fit", learned(border), days, border)]
    if split.has_calibration:
        early = np.datetime64(split.calibration_from)
        slices.append(Slice("early fit", learned(early), days, early))
    slices.append(Slice("test", later[known_later], days, end))
    return label_windows(tuple(slices), border)


def _now(
    built: Built, rows: pd.DataFrame, question: Question, features: Sequence[str], split: Split
) -> Checked:
    """Compare the newest dates, labelled or not, with the rows that were learned from."""
    outcome = outcome_known_by(rows, question.main_horizon_days, split.test_from, question)
    then = rows.loc[np.isfinite(outcome), ["account_id", "as_of"]]
    dates = np.sort(built.table["as_of"].unique())[-NOW_DATES:]
    now = built.table.loc[
        built.table["as_of"].isin(dates) & (built.table["as_of"] >= split.test_from),
        ["account_id", "as_of"],
    ]
    keys = pd.concat([then.assign(is_now=False), now.assign(is_now=True)])
    groups = built.states[["account_id", "as_of", "customer_group"]]
    both = keys.merge(groups, on=["account_id", "as_of"]).merge(
        built.table, on=["account_id", "as_of"]
    )
    return train_and_now(
        both,
        features,
        both["is_now"].to_numpy(bool),
        both["as_of"].to_numpy("datetime64[us]"),
        both["customer_group"].to_numpy(object),
    )

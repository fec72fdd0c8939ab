"""The pipeline, as a list of calls: label, split, fit, calibrate, test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from features.built import Built
from features.catalog import catalog_json, features_fingerprint
from features.checked import CheckedSource
from features.errors import TooLittleDataError
from features.poison import Poisoned
from models.asked import asked as asked_features
from models.bundle import Bundle
from models.made_from import MadeFrom
from models.question import Question
from models.trials import Trial
from training import renewals
from training.audit.company import audited
from training.audit.finding import Audited
from training.baselines import baselines
from training.bundling import FeatureList, answerable, feature_list, fit_bundle
from training.choose import Choice, choose, tuned
from training.evaluate import evaluation
from training.fit import Params
from training.labels import label, outcome_within
from training.made import made_from_history
from training.splits import Split, on_record, outcome_known_by, time_split
from training.touched import told, touched_share
from training.tune import Budget

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

KEYS = ("account_id", "as_of")
FEWEST_TEST_GROUPS = 3
FEW_TEST_GROUPS = 20
"""With fewer customers with the event in the test period, people are told so."""


@dataclass(frozen=True)
class Tested:
    """Later rows that a model had not seen, and what it said of them.

    Attributes
    ----------
    rows
        Features, states and labels, and per horizon h ``probability__<h>d`` and ``outcome__<h>d``
        (0, 1, or NaN where it is unknown).
    rivals
        The baselines' probabilities at the main horizon.
    """

    rows: pd.DataFrame
    rivals: Mapping[str, Floats]


@dataclass(frozen=True)
class Trained:
    """One model, and the figures of these very bytes on a later period.

    Attributes
    ----------
    bundle
        The model; its version is the digest of its content until a registry numbers it.
    metrics
        The metrics JSON, as `training.evaluate.evaluation` gives it.
    test_rows
        One row per account and date of the test period: features, states, labels, and per horizon
        ``probability__<h>d`` and ``outcome__<h>d``.
    params
        Settings of the fit.
    data
        What it was trained on: fingerprint, extract, rows, accounts, dates, and the share of rows
        that customer success had touched.
    audit
        What the leakage audit looked at before the fit, and what it found.
    notes
        Sentences on what was left out, such as horizons that the history does not bear out.
    split
        The borders.
    made_from
        All that it takes to make the same again.
    trials
        What tuning tried; empty without tuning.
    """

    bundle: Bundle
    metrics: Mapping[str, Any]
    test_rows: pd.DataFrame
    params: Mapping[str, Any]
    data: Mapping[str, Any]
    audit: Audited
    notes: tuple[str, ...]
    split: Split
    made_from: MadeFrom
    trials: tuple[Trial, ...] = ()

    @property
    def catalogue(self) -> tuple[Mapping[str, Any], ...]:
        """The catalogue's entries of the model's features."""
        return self.bundle.catalogue

    @property
    def reliability(self) -> list[dict[str, float]]:
        """Predicted and observed by tenth of the test rows."""
        return list(self.metrics["reliability"])

    @property
    def baselines(self) -> Mapping[str, Any]:
        """The baselines' figures on the same rows."""
        return dict(self.metrics["baselines"])


def train(
    built: Built,
    question: Question,
    *,
    params: Params | None = None,
    budget: Budget | None = None,
    accept: Sequence[str] = (),
    poisoned: Poisoned | None = None,
    progress: Progress | None = None,
) -> Trained:
    """Train one question's model on built features, and test it on the last dates.

    Parameters
    ----------
    built
        States and features at the snapshot dates; the dates that are too young for a label are
        left aside.
    question
        What to predict.
    params
        Settings of the fit; by default those of `training.choose`, or of tuning.
    budget
        How long to tune; by default not at all. It looks at nothing later than the training does.
    accept
        Columns and checks whose findings in the leakage audit somebody takes on by name.
    poisoned
        The poison test of the same `built`, where it was made before.
    progress
        Is told what happens, for people.

    Raises
    ------
    TooLittleDataError
        With too few dates, or too few customers with the event, before or in the test period.
    """
    say = progress or _silent
    say(f"labelling {len(built.table):,} rows")
    asked, ready = question, prepared(built, question)
    rows, question, features, split = ready.rows, ready.question, ready.features, ready.split
    say("looking for leaks")
    found = audited(built, rows, question, features.names, split, accept=accept, poisoned=poisoned)
    choice = Choice(params) if params else None
    if budget and not choice:
        about = {**_data(built, rows), "question": asdict(question), "border": split.test_from}
        choice = tuned(ready.panel, question, features, split.test_from, budget, about, say)
    choice = choice or choose(ready.panel, question, features, split.test_from)
    say(f"fitting on what was known by {split.test_from:%Y-%m-%d}")
    bundle = fit_bundle(rows, question, features, split, choice.params)
    say("testing on later dates")
    tested = test(bundle, rows, split)
    came = tested.rows[f"outcome__{question.main_horizon_days}d"]
    share = touched_share(built.source, rows)
    _refuse_an_empty_test(tested.rows, came, question)
    return Trained(
        bundle=bundle,
        metrics=figures_of(tested, question),
        test_rows=tested.rows,
        params=asdict(choice.params),
        data={**_data(built, rows), "touched_share": share},
        audit=found,
        notes=(
            *choice.why,
            *_few(tested.rows, came, question),
            *_notes(asked, question),
            *told(share),
        ),
        split=split,
        made_from=made_from_history(built, asked, choice.params, bundle, tested.rows),
        trials=choice.trials,
    )


def audit(built: Built, question: Question, *, accept: Sequence[str] = ()) -> Audited:
    """Make the audit that `train` makes before it fits.

    Raises
    ------
    TooLittleDataError
        With too few dates, or too few customers with the event.
    TenureError
        When `accept` names neither a column nor a check.
    """
    ready = prepared(built, question)
    return audited(
        built, ready.rows, ready.question, ready.features.names, ready.split, accept=accept
    )


@dataclass(frozen=True)
class Prepared:
    """What a model is fitted on and tested with.

    Attributes
    ----------
    panel
        `labelled_rows`.
    rows
        Those on record at the test's border.
    question
        With the horizons that these bear out.
    features
        What the model takes.
    split
        The borders.
    """

    panel: pd.DataFrame
    rows: pd.DataFrame
    question: Question
    features: FeatureList
    split: Split


def prepared(built: Built, question: Question) -> Prepared:
    """Label built features and split them along time, as every training does.

    Raises
    ------
    TooLittleDataError
        With too few dates, or too few customers with the event before the test period.
    """
    panel = labelled_rows(built, question)
    split = time_split(dates_of(built, panel, question), built.source.extracted_at, question)
    rows = on_record(panel, split.test_from, question)
    question = answerable(rows, question, split.test_from)
    return Prepared(panel, rows, question, features_of(built, question), split)


def demand_enough(source: CheckedSource, states: pd.DataFrame, question: Question) -> None:
    """Refuse what `train` would refuse, from the states alone: before features are built.

    Raises
    ------
    TooLittleDataError
        With too few dates, or too few customers with the event, before or in the test period.
    """
    rows = _labelled(source, states, question)
    split = time_split(_dates(rows, source, question), source.extracted_at, question)
    rows = on_record(rows, split.test_from, question)
    answerable(rows, question, split.test_from)
    later = rows[split.is_test(rows["as_of"]).astype(bool)]
    _refuse_an_empty_test(later, outcome_within(later, question.main_horizon_days), question)


def labelled_rows(built: Built, question: Question) -> pd.DataFrame:
    """Join features, states and labels of the active accounts; leaving ones are set apart.

    Returns
    -------
    One row per active account and date, sorted by as_of and account_id. Rows that had no MRR left
    by newer knowledge are dropped: nothing was at risk. Those before the record of such events
    begins are for `training.splits.on_record` to leave aside, at the border of each training.
    """
    labels = _labelled(built.source, built.states, question)
    rows = labels.merge(built.table, on=list(KEYS), how="inner", validate="one_to_one")
    return rows.sort_values(["as_of", "account_id"], ignore_index=True)


def _labelled(source: CheckedSource, states: pd.DataFrame, question: Question) -> pd.DataFrame:
    labels = label(source, states[states["status"] == "active"], question)
    return labels[labels["observed_days"].notna()]


def features_of(built: Built, question: Question) -> FeatureList:
    """List the built feature columns that a question asks for, with their catalogue entries."""
    features = asked_features(question, built.features)
    left_out = {each.column for each in built.features} - {each.column for each in features}
    names = [name for name in built.table.columns if name not in {*KEYS, *left_out}]
    return feature_list(names, catalog_json(features), features_fingerprint(features))


def test(bundle: Bundle, rows: pd.DataFrame, split: Split) -> Tested:
    """Predict the test slice, by the model and by the baselines of the same training rows."""
    question = bundle.question
    later = scored_later(bundle, rows, split)
    known = outcome_known_by(rows, question.main_horizon_days, split.test_from, question)
    learned = np.isfinite(known)
    rivals = baselines(rows[learned], known[learned], later, bundle.features, question.outcome)
    return Tested(later, rivals)


def scored_later(bundle: Bundle, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Give the rows of the test slice whose outcome is known, with it and with probabilities."""
    question = bundle.question
    later = rows[split.is_test(rows["as_of"]).astype(bool)]
    probabilities = bundle.probabilities(later)
    columns = {}
    for at, days in enumerate(question.horizons_days):
        columns[f"probability__{days}d"] = probabilities[:, at]
        columns[f"outcome__{days}d"] = outcome_within(later, days)
    if question.outcome == "churn":
        columns[renewals.SAID] = bundle.renewal_probabilities(later, probabilities)
        columns[renewals.CAME] = renewals.renewed(later)
    later = later.assign(**columns)
    is_known = np.isfinite(later[f"outcome__{question.main_horizon_days}d"].to_numpy())
    known: pd.DataFrame = later[is_known].reset_index(drop=True)
    return known


def figures_of(tested: Tested, question: Question) -> dict[str, Any]:
    """Give the metrics JSON of tested rows."""
    horizons = question.horizons_days
    return evaluation(
        tested.rows,
        {days: tested.rows[f"outcome__{days}d"].to_numpy() for days in horizons},
        {days: tested.rows[f"probability__{days}d"].to_numpy() for days in horizons},
        tested.rivals,
        question.main_horizon_days,
        mrr_at_stake(tested.rows, question),
    )


def mrr_at_stake(rows: pd.DataFrame, question: Question) -> Floats:
    """Give what each row's event loses or adds a month: of a churn all its MRR; shape (n,)."""
    mrr = rows["mrr"].to_numpy(dtype=float)
    if question.outcome == "churn":
        return mrr
    change = rows[f"mrr_change__{question.main_horizon_days}d"].to_numpy(dtype=float)
    sign = 1 if question.outcome == "expansion" else -1
    return np.asarray(mrr * np.maximum(np.nan_to_num(sign * change), 0))


def dates_of(built: Built, rows: pd.DataFrame, question: Question) -> list[datetime]:
    """Give the dates of labelled rows from which splits are laid out: those on record by now."""
    return _dates(rows, built.source, question)


def _dates(rows: pd.DataFrame, source: CheckedSource, question: Question) -> list[datetime]:
    stamps = on_record(rows, source.extracted_at, question)["as_of"].unique()
    return [stamp.to_pydatetime() for stamp in sorted(stamps)]


def _refuse_an_empty_test(
    rows: pd.DataFrame, outcome: pd.Series | Floats, question: Question
) -> None:
    groups = rows.loc[outcome == 1, "customer_group"].nunique()
    if groups < FEWEST_TEST_GROUPS:
        raise TooLittleDataError(
            f"Expected at least {FEWEST_TEST_GROUPS} customers with {question.name} in the test "
            f"period, got {groups}. Bring a longer history or more accounts."
        )


def _data(built: Built, rows: pd.DataFrame) -> dict[str, Any]:
    return {
        "fingerprint": built.source.fingerprint,
        "extracted_at": built.source.extracted_at.isoformat(),
        "rows": len(rows),
        "accounts": int(rows["account_id"].nunique()),
        "dates": int(rows["as_of"].nunique()),
        "features_fingerprint": features_fingerprint(built.features),
    }


def _few(rows: pd.DataFrame, outcome: pd.Series, question: Question) -> tuple[str, ...]:
    """Say how little the figures rest on, where it is little."""
    groups = rows.loc[outcome == 1, "customer_group"].nunique()
    if groups >= FEW_TEST_GROUPS:
        return ()
    said = (
        f"The figures rest on {groups} customers with {question.name} in the test period: read "
        "their intervals, not the figures."
    )
    return (said,)


def _notes(asked: Question, kept: Question) -> tuple[str, ...]:
    left = [str(days) for days in asked.horizons_days if days not in kept.horizons_days]
    if not left:
        return ()
    return (f"The history is too short, or has too few events, for {', '.join(left)} days.",)


def _silent(_: str) -> None:
    return None

"""Labelled rows and their split: what a model is fitted on and tested with."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from features.built import Built
from features.catalog import catalog_json, features_fingerprint
from features.checked import CheckedSource
from models.asked import asked as asked_features
from models.question import Question
from training.bundling import FeatureList, answerable, feature_list
from training.labels import label, outcome_within
from training.next_product import with_products
from training.splits import Split, dates_on_record, on_record, time_split
from training.tested import refuse_an_empty_test

KEYS = ("account_id", "as_of")


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
    dates = dates_on_record(rows, source.extracted_at, question)
    split = time_split(dates, source.extracted_at, question)
    rows = on_record(rows, split.test_from, question)
    answerable(rows, question, split.test_from)
    later = rows[split.is_test(rows["as_of"]).astype(bool)]
    refuse_an_empty_test(later, outcome_within(later, question.main_horizon_days), question)


def labelled_rows(built: Built, question: Question) -> pd.DataFrame:
    """Join features, states and labels of the active accounts; leaving ones are set apart.

    Returns
    -------
    One row per active account and date, sorted by as_of and account_id. Rows that had no MRR left
    by newer knowledge are dropped: nothing was at risk. Those before the record of such events
    begins are for `training.splits.on_record` to leave aside, at the border of each training.
    """
    labels = _labelled(built.source, built.states, question)
    labels = with_products(built.source, labels, question)
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


def dates_of(built: Built, rows: pd.DataFrame, question: Question) -> list[datetime]:
    """Give the dates of labelled rows from which splits are laid out: those on record by now."""
    return dates_on_record(rows, built.source.extracted_at, question)

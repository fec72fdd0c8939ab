"""The pipeline, as a list of calls: label, split, fit, calibrate, test."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pandas as pd

from features.built import Built
from features.poison import Poisoned
from models.bundle import Bundle
from models.made_from import MadeFrom
from models.question import Question
from models.trials import Trial
from training.audit.company import audited
from training.audit.finding import Audited
from training.bundling import fit_bundle
from training.capacity import Economics
from training.choose import Choice, choose, tuned
from training.fit import Params
from training.made import made_from_history
from training.next_product import products_told
from training.prepare import Prepared, prepared
from training.splits import Split
from training.tested import figures_of, refuse_an_empty_test, test, told_if_few
from training.touched import told, touched_share
from training.tune import Budget

Progress = Callable[[str], None]


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
    economics: Economics | None = None,
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
    economics
        What a call costs and wins; by default as `training.capacity.Economics` has it.
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
        about = {**_data(built, ready), "question": asdict(question), "border": split.test_from}
        choice = tuned(ready.panel, question, features, split.test_from, budget, about, say)
    choice = choice or choose(ready.panel, question, features, split.test_from)
    say(f"fitting on what was known by {split.test_from:%Y-%m-%d}")
    bundle = fit_bundle(rows, question, features, split, choice.params)
    say("testing on later dates")
    tested = test(bundle, rows, split)
    came = tested.rows[f"outcome__{question.main_horizon_days}d"]
    share = touched_share(built.source, rows)
    refuse_an_empty_test(tested.rows, came, question)
    figures = figures_of(tested, question, economics)
    return Trained(
        bundle=bundle,
        metrics=figures,
        test_rows=tested.rows,
        params=asdict(choice.params),
        data={**_data(built, ready), "touched_share": share},
        audit=found,
        notes=(
            *choice.why,
            *told_if_few(tested.rows, came, question),
            *_notes(asked, question),
            *((bundle.amount.sentence(),) if bundle.amount else ()),
            *products_told(figures),
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


def _data(built: Built, ready: Prepared) -> dict[str, Any]:
    rows = ready.rows
    return {
        "fingerprint": built.source.fingerprint,
        "extracted_at": built.source.extracted_at.isoformat(),
        "rows": len(rows),
        "accounts": int(rows["account_id"].nunique()),
        "dates": int(rows["as_of"].nunique()),
        "features_fingerprint": ready.features.fingerprint,
    }


def _notes(asked: Question, kept: Question) -> tuple[str, ...]:
    left = [str(days) for days in asked.horizons_days if days not in kept.horizons_days]
    if not left:
        return ()
    return (f"The history is too short, or has too few events, for {', '.join(left)} days.",)


def _silent(_: str) -> None:
    return None

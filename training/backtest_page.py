"""A back-test as tables for people: each section says in a sentence how to read it."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.backtested import Backtested
from models.registry import Registry
from training.backtest import Backtest
from training.backtest_growth import growth
from training.backtest_lists import best_by_date, lists, lists_by_date
from training.report import Evidence, Section, write_report
from training.shown import cell

FIGURES = ("auc", "average_precision", "brier", "log_loss")
MEASURED = (
    *FIGURES,
    "observed_over_expected",
    "calibration_error",
    "calibration_slope",
)


def backtest_document(
    backtest: Backtest, folder: Path, data: Mapping[str, object], registry: Registry
) -> dict[str, Any]:
    """Write a back-test's report for people, keep both in MLflow, and give the JSON.

    Returns
    -------
    dict
        What ``tenure backtest --json`` prints: model, metrics, origins, notes, the report's path
        and the run's id.
    """
    reports = write_report(evidence(backtest, data), folder)
    found = Backtested(
        model=backtest.question.name,
        metrics=backtest.metrics,
        origins=backtest.by_origin,
        parameters={**data, **backtest.metrics["economics"]},
        reports=reports,
    )
    return {
        "model": backtest.question.name,
        "metrics": dict(backtest.metrics),
        "origins": [dict(run) for run in backtest.by_origin],
        "notes": list(backtest.notes),
        "report": str(reports[0]),
        "run": registry.log_backtest(found),
    }


def evidence(backtest: Backtest, data: Mapping[str, object]) -> Evidence:
    """Give what the report of a back-test shows."""
    question, metrics = backtest.question, backtest.metrics
    rows, days = backtest.test_rows, question.main_horizon_days
    return Evidence(
        model=question.name,
        horizon_days=days,
        outcomes=rows[f"outcome__{days}d"].to_numpy(dtype=float),
        probabilities=rows[f"probability__{days}d"].to_numpy(dtype=float),
        metrics={name: metrics[name] for name in FIGURES},
        rivals=metrics["baselines"],
        above=metrics["above_baselines"],
        origins=[
            {"as_of": run["origin"], "auc": run["auc"]} for run in backtest.by_origin if run["auc"]
        ],
        sections=tuple(sections(backtest)),
        data={**data, "touched_share": _touched_share(rows["touched"].to_numpy(dtype=float))},
    )


def _touched_share(touched: NDArray[np.float64]) -> float | None:
    return float(touched.mean()) if np.isfinite(touched).any() else None


def sections(backtest: Backtest) -> Iterator[Section]:
    """Lay a back-test out in tables; what could not be computed is a dash."""
    metrics = backtest.metrics
    yield _of_measured("Date by date", {run["origin"]: run for run in backtest.by_origin})
    yield _of_measured(
        "By horizon", {f"{days} days": found for days, found in metrics["by_horizon"].items()}
    )
    yield _against(metrics)
    yield _brier(metrics)
    yield from lists(metrics)
    yield lists_by_date(backtest.by_origin)
    yield best_by_date(backtest.by_origin)
    by_date = {f"tenth, {run['origin']}": run["lead_time"] for run in backtest.by_origin}
    yield _early({**metrics["lead_time"], **by_date})
    yield _of_measured(
        "Events at least 30 days away",
        {
            "later in the horizon": metrics["later"],
            **{run["origin"]: run["later"] for run in backtest.by_origin},
        },
        LATER,
    )
    yield _of_measured("Who can leave, and when", metrics["populations"])
    yield _leaving(metrics)
    for name, parts in metrics["slices"].items():
        yield _of_measured(f"By {name}", parts, TOUCH if name == "touch" else "")
    if "causes" in metrics:
        yield _causes(metrics)
        yield from _renewals(metrics["renewals"])
    if "added_mrr" in metrics:
        yield from growth(metrics)
    yield _champion(metrics["champion"])
    if "oracle" in metrics:
        yield _oracle(metrics["oracle"])
    if backtest.notes:
        yield Section("What was left out", ("note",), [(note,) for note in backtest.notes])


LATER = "Tomorrow's loss cannot be prevented: rows that were lost sooner are left aside."
TOUCH = (
    "With and without the rows that customer success was at work on already: what came of those is "
    "in part the team's own doing. The rows without them show what the model adds to what the team "
    "knows. The difference is not what a touch does: only an experiment tells that."
)


def _of_measured(caption: str, by_name: Mapping[str, Any], words: str = "") -> Section:
    head = ("", "rows", "events", *(name.replace("_", " ") for name in MEASURED))
    rows = [
        (name, f"{found['rows']:,}", f"{found['events']:,}", *(cell(found[m]) for m in MEASURED))
        for name, found in by_name.items()
    ]
    return Section(caption, head, rows, words)


def _against(metrics: Mapping[str, Any]) -> Section:
    rows = [
        (
            name.replace("_", " "),
            cell(found["auc"]),
            cell(found["log_loss"]),
            *(cell((metrics["above_baselines"][name] or {}).get(m), sign="+") for m in FIGURES),
        )
        for name, found in metrics["baselines"].items()
    ]
    head = ("baseline", "auc", "log loss", *(f"model above it: {m}" for m in FIGURES))
    return Section(
        "Against plainer ways",
        [name.replace("_", " ") for name in head],
        rows,
        "Differences are on the same resampled customers. Less is better for Brier and log loss.",
    )


def _brier(metrics: Mapping[str, Any]) -> Section:
    parts = metrics["brier_parts"] or {}
    return Section(
        "The parts of the Brier score",
        ("part", "value", "low", "high"),
        [
            (name.replace("_", " "), *(f"{found[each]:.5f}" for each in ("value", "low", "high")))
            for name, found in parts.items()
        ],
        "Reliability (0 is best) less resolution (more is better) plus uncertainty (the data's), "
        "plus what the probabilities differ inside a bin.",
    )


def _early(by_list: Mapping[str, Any]) -> Section:
    names = ("listed", "listed_30d_before", "listed_90d_before")
    days = ("quarter_days", "median_days", "three_quarters_days")
    rows = [
        (name, f"{found['losses']:,}", *(cell(found[each]) for each in (*names, *days)))
        for name, found in by_list.items()
    ]
    head = ("list", "events", *(name.replace("_", " ") for name in (*names, *days)))
    return Section(
        "How early",
        head,
        rows,
        "Each event once: the share that stood on a list in the year before, and the days from "
        "the first time to the request or the loss, whichever came first. A list of everybody is "
        "early.",
    )


def _leaving(metrics: Mapping[str, Any]) -> Section:
    found = metrics["leaving"]
    return Section(
        "Those who had asked to leave",
        ("rows", "events", "share"),
        [(f"{found['rows']:,}", f"{found['events']:,}", cell(found["share"]))],
        "They are listed as leaving and not scored: no other figure on this page holds them.",
    )


def _causes(metrics: Mapping[str, Any]) -> Section:
    names = ("auc", "average_precision", "mean_probability", "recall")
    rows = [
        (name, f"{found['events']:,}", *(cell(found[each]) for each in names))
        for name, found in metrics["causes"].items()
    ]
    head = ("cause", "events", *(name.replace("_", " ") for name in names))
    words = "Each against those who stayed; recall is that of the first tenth of each date."
    return Section("By cause of loss", head, rows, words)


def _renewals(found: Mapping[str, Any] | None) -> Iterator[Section]:
    if found is None:
        yield Section(
            "Renewals", (), (), "No term ended whose renewal was asked about and is known."
        )
        return
    parts = {"all": found["all"], **found["by_time"]}
    parts |= {f"term: {name}": part for name, part in found["by_term"].items()}
    names = ("said", "renewed", *MEASURED)
    rows = [
        (name, f"{part['rows']:,}", f"{part['events']:,}", *(cell(part[each]) for each in names))
        for name, part in parts.items()
    ]
    head = ("renewal", "rows", "not renewed", *(name.replace("_", " ") for name in names))
    yield Section("Renewals", head, rows, RENEWALS)
    tenths = [
        (f"{each['rows']:,}", cell(each["predicted"]), cell(each["observed"]))
        for each in found["reliability"]
    ]
    yield Section("The probability to renew, by tenths", ("rows", "said", "renewed"), tenths)


RENEWALS = (
    "The probability to renew at the next end of the signed term, against what came. Said and "
    "renewed are of renewals; from the AUC on, the figures are of those that failed."
)


def _champion(found: Mapping[str, Any] | None) -> Section:
    caption = "Against the champion"
    if found is None:
        return Section(caption, (), (), "There is no champion yet.")
    if "reason" in found:
        words = f"Version {found['version']} cannot be held against: {found['reason']}"
        return Section(caption, (), (), words)
    rows = [
        (m, cell(found["model"][m]), cell(found["champion"][m]), cell(_of(found["above"], m), "+"))
        for m in FIGURES
    ]
    words = f"Version {found['version']}, on the dates from {found['from']} that it did not see."
    return Section(caption, ("", "back-test's models", "champion", "difference"), rows, words)


ORACLE = (
    "This company was made up, so that the best possible answer is known: the oracle plays each "
    "account's true state forward {plays:,} times, and never looks at what came. No model sees it. "
    "Skill is the AUC less one half; its share of the oracle's is how much was found of what could "
    "be. The truth tells of {rows:,} of {of:,} rows: it knows no duplicates of the CRM, and of a "
    "large company only some dates are asked about."
)
POPULATIONS = MappingProxyType({"pooled": "all", "can_leave": "can leave within the horizon"})


def _oracle(found: Mapping[str, Any]) -> Section:
    head = ("who", "rows", "events", "AUC", "oracle's AUC", "share of its skill", "log loss more")
    rows = [
        (
            POPULATIONS[name],
            f"{each['model']['rows']:,}",
            f"{each['model']['events']:,}",
            cell(each["model"]["auc"]),
            cell(each["oracle"]["auc"]),
            cell(each["skill_share"]),
            cell(_of(each["above"], "log_loss"), "+"),
        )
        for name, each in found["populations"].items()
    ]
    return Section("Against the best possible", head, rows, ORACLE.format(**found))


def _of(found: Mapping[str, Any] | None, name: str) -> Any:  # noqa: ANN401 - a figure or None
    return found and found[name]

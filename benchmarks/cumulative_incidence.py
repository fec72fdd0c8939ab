"""Hold one hazard of the cumulative incidence against a sum over causes, in the same back-tests.

    python -m benchmarks.cumulative_incidence [--seeds 31 32 33] [--accounts 500] [--write FILE]

Run from the project's root. Each seed makes a sample company. At the same past dates, on the same
rows and features and with the same settings, expansion is asked in two ways: by the one hazard
that `tenure train` fits, in which an account that churned stays at risk, and by two hazards, of
expansion and of churn, each among those who had neither, whose product is summed over the
intervals. Rows of all companies are put together; intervals are over customer groups. With --write
the figures go into FILE, between the lines <!-- figures --> and <!-- end of figures -->.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.figures import between, table
from benchmarks.sample_company import MONTHS, write_between
from features.built import Built, built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.expansion import EXPANSION
from models.question import Question
from training.bundling import answerable, fit_bundle
from training.evaluate import measured, paired
from training.fit import BoosterParams
from training.prepare import dates_of, features_of, labelled_rows
from training.splits import Split, on_record, origins
from training.tested import scored_later

Floats = NDArray[np.float64]

ORIGINS = 6
ONE, SUM = "probability", "summed"
SAID = {ONE: "one hazard", SUM: "a sum over causes"}
HEAD = ("horizon", "rows (events)", "way", "AUC", "log loss", "observed / expected")
HEAD_DIFFERENCE = ("horizon", "company", "AUC", "log loss")


def main() -> None:
    """Roll back-tests over companies, and print how the two ways did."""
    parser = argparse.ArgumentParser(description="One hazard of growth, or a sum over causes.")
    parser.add_argument("--seeds", type=int, nargs="+", default=[31, 32, 33])
    parser.add_argument("--accounts", type=int, default=500)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    parts = []
    for seed in options.seeds:
        parts.append(tested_rows(seed, options.accounts))
        print(f"seed {seed}: {len(parts[-1]):,} rows", file=sys.stderr, flush=True)
    command = (
        f"python -m benchmarks.cumulative_incidence --accounts {options.accounts} "
        f"--seeds {' '.join(map(str, options.seeds))}"
    )
    lines = page(command, pd.concat(parts, ignore_index=True))
    print("\n".join(lines))
    if options.write:
        write_between(options.write, lines)


def tested_rows(seed: int, accounts: int) -> pd.DataFrame:
    """Give the later rows of a sample company at all origins, and what both ways said of them."""
    with tempfile.TemporaryDirectory() as folder:
        company, home = Path(folder) / "company", Home(Path(folder) / "home")
        simulate(company, accounts=accounts, months=MONTHS, seed=seed)
        source = check(str(company), home=home)
        history = built(source, month_starts(source), home=home)
        found = pd.concat(_by_origin(history), ignore_index=True)
    return found.assign(company=seed, customer_group=f"{seed}-" + found["customer_group"])


def _by_origin(history: Built) -> list[pd.DataFrame]:
    panel = labelled_rows(history, EXPANSION)
    dates = dates_of(history, panel, EXPANSION)
    return [
        _said(history, on_record(panel, split.test_from, EXPANSION), split)
        for split in origins(dates, history.source.extracted_at, EXPANSION, ORIGINS)
    ]


def _said(history: Built, rows: pd.DataFrame, split: Split) -> pd.DataFrame:
    """Train both ways at one origin, and give its later rows with what they said."""
    features, params = features_of(history, EXPANSION), BoosterParams()
    asked = answerable(rows, EXPANSION, split.test_from)
    later = scored_later(fit_bundle(rows, asked, features, split, params), rows, split)
    causes = (
        (asked, until(rows, asked, "event_days", "competing_days")),
        (replace(CHURN, **_shared(asked)), until(rows, asked, "competing_days", "event_days")),
    )
    grown, gone = (
        hazards(fit_bundle(known, question, features, split, params).probabilities(later))
        for question, known in causes
    )
    days = [f"{SUM}__{each}d" for each in asked.horizons_days]
    kept = ["as_of", "account_id", "customer_group"]
    kept += [f"{kind}__{each}d" for each in asked.horizons_days for kind in (ONE, "outcome")]
    return later[kept].assign(**dict(zip(days, summed(grown, gone).T, strict=True)))


def _shared(question: Question) -> dict[str, tuple[int, ...]]:
    return {"horizons_days": question.horizons_days}


def until(rows: pd.DataFrame, question: Question, event: str, other: str) -> pd.DataFrame:
    """Ask for one cause among those who had neither: known to the end of the other's interval.

    Parameters
    ----------
    rows
        Labels of the question, one row per account and date.
    event, other
        The columns of the days to the cause that is asked for, and to the other one.
    """
    ends = np.array(question.horizons_days, dtype=float)
    came = rows[other].to_numpy(dtype=float)
    place = np.minimum(np.searchsorted(ends, came, side="right"), len(ends) - 1)
    last = np.where(came < ends[-1], ends[place], np.inf)  # NaN: the other did not come
    observed = np.minimum(rows["observed_days"].to_numpy(dtype=float), last)
    return rows.assign(event_days=rows[event], observed_days=observed)


def hazards(cumulative: Floats) -> Floats:
    """Give the hazard of each interval from what it leads to by its end; both (n, intervals)."""
    left = 1 - np.column_stack([np.zeros(len(cumulative)), cumulative])
    return np.asarray(1 - left[:, 1:] / left[:, :-1])


def summed(grown: Floats, gone: Floats) -> Floats:
    """Give P(growth within each horizon, before any loss) from the hazards of both causes."""
    still = np.cumprod(np.clip(1 - grown - gone, 0, 1), axis=1)
    before = np.column_stack([np.ones(len(grown)), still[:, :-1]])
    return np.asarray(np.cumsum(grown * before, axis=1))


def page(command: str, rows: pd.DataFrame) -> list[str]:
    """Give the figures as lines of Markdown."""
    horizons = [days for days in EXPANSION.horizons_days if f"{SUM}__{days}d" in rows]
    made = f"Made by `{command}`: {MONTHS} months a company, {ORIGINS} origins each at most."
    return [
        f"{made} Of expansion; intervals of 95 %.",
        "",
        table(HEAD, [line for days in horizons for line in _both(rows, days)]),
        "",
        "One hazard less the sum, on the same rows and draws; a lower log loss is better:",
        "",
        table(HEAD_DIFFERENCE, [line for days in horizons for line in _apart(rows, days)]),
        "",
    ]


def _both(rows: pd.DataFrame, days: int) -> list[list[str]]:
    came, groups = _outcome(rows, days), rows["customer_group"].to_numpy(dtype=object)
    lines = []
    for way, name in SAID.items():
        found = measured(came, rows[f"{way}__{days}d"].to_numpy(dtype=float), groups)
        sizes = [f"{days} days", f"{found['rows']:,} ({found['events']:,})"]
        figures = [between(found[each]) for each in ("auc", "log_loss", "observed_over_expected")]
        lines.append([*(sizes if way == ONE else ["", ""]), name, *figures])
    return lines


def _apart(rows: pd.DataFrame, days: int) -> list[list[str]]:
    parts = {"all": rows} | {f"seed {seed}": part for seed, part in rows.groupby("company")}
    return [[f"{days} days", name, *_difference(part, days)] for name, part in parts.items()]


def _difference(rows: pd.DataFrame, days: int) -> list[str]:
    one, other = (rows[f"{way}__{days}d"].to_numpy(dtype=float) for way in SAID)
    groups = rows["customer_group"].to_numpy(dtype=object)
    found = paired(_outcome(rows, days), one, other, groups)
    if found is None:
        return ["none", "none"]
    return [
        f"{found[each]['value']:+.4f} [{found[each]['low']:+.4f}, {found[each]['high']:+.4f}]"
        for each in ("auc", "log_loss")
    ]


def _outcome(rows: pd.DataFrame, days: int) -> Floats:
    return rows[f"outcome__{days}d"].to_numpy(dtype=float)


if __name__ == "__main__":
    main()

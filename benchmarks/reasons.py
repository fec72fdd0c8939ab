"""Whether the first reasons of accounts that were flagged, and then left, name why they left.

    python -m benchmarks.reasons [--seeds 21 22 23] [--accounts 600] [--cache DIR] [--write FILE]

Run from the project's root; prints what `make results` writes of it. With --write it goes into
FILE, between the lines <!-- figures --> and <!-- end of figures -->. What was found of a seed is
kept in the cache (or BENCHMARKS_CACHE): take an empty one after a change.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.companies import KEYS
from benchmarks.figures import between, table
from benchmarks.sample_company import MONTHS, write_between
from features.built import built, month_starts
from features.home import Home
from features.sources.check import check
from features.sources.sample.leaving import causes_of_risk
from features.sources.sample.simulate import simulate
from features.sources.sample.state import State
from features.sources.sample.world import CAUSES
from models.bundle import Bundle
from models.churn import CHURN
from models.families import CONTEXT, LEADING, family_of
from models.reasons import explain
from training.bundling import fit_bundle
from training.choose import choose
from training.heldout import Resampled
from training.oracle import read_causes, read_truth
from training.prepare import prepared
from training.tested import scored_later

Say = Callable[[str], None]
Told = Sequence[tuple[str, float]]

ASKED = 0.80
"""The share of the cases to reach."""
NOTHING = 0.05
"""Log odds that nobody would call a reason: a twentieth more or less."""
FAMILIES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "adoption": frozenset({"usage"}),
        "value": frozenset({"adoption", "satisfaction", "success"}),
        "champion": frozenset({"people"}),
        "outage": frozenset({"reliability"}),
        "price": frozenset({"price"}),
        "budget": frozenset({"billing", "intent", "team"}),
    }
)
"""Which families tell of a cause; docs/decisions/0007-families-of-reasons.md says why."""
BY_CAUSE = (
    "cause",
    "cases (accounts)",
    "its family among the first three",
    "to reach",
    "reached",
    "among those of other lost accounts",
    "by the truth of the date",
)


@dataclass(frozen=True)
class Cases:
    """Accounts that were flagged at a date, and lost within the main horizon of it.

    Attributes
    ----------
    rows
        account_id, customer_group, cause; ``reasons``, all of them in the order shown as JSON of
        (family, effect) pairs; ``truest``, as JSON the three causes whose hidden states added most
        to the odds of leaving at the date, fewer where fewer added anything.
    """

    rows: pd.DataFrame

    @property
    def told(self) -> list[Told]:
        """The reasons of each case."""
        return [json.loads(text) for text in self.rows["reasons"]]

    @property
    def causes(self) -> NDArray[np.object_]:
        """The cause of each case."""
        return self.rows["cause"].to_numpy(dtype=object)


def section(folder: Path, accounts: int, seeds: Sequence[int], say: Say) -> str:
    """Give the reasons' part of the results; what is missing of a seed is found first."""
    parts = [_kept(folder / f"{accounts}-accounts", accounts, seed, say) for seed in seeds]
    found = Cases(pd.concat(parts, ignore_index=True))
    many = f"{len(seeds)} compan{'y' if len(seeds) == 1 else 'ies'}"
    head = (
        f"Seeds {', '.join(map(str, seeds))}: {many} of {accounts:,} accounts over {MONTHS} months "
        "each. A case is an account that was in the band high or medium at a date of the test "
        f"period, and was lost within {CHURN.main_horizon_days} days of it. The truth names one "
        "cause of each loss; a case is hit when a family that tells of it is among the first "
        f"{LEADING} reasons. Beside it: how often that family is among the first reasons of lost "
        "accounts drawn at random, and how often the truth itself, asked at the date for the three "
        "causes that then added most, names the one that came.\n"
    )
    return "\n".join(
        [
            "## Do the first reasons name why an account left?\n",
            head,
            table(BY_CAUSE, by_cause(found)),
            "",
            f"{unseen(found)} {_apart(found)}",
            "",
            "The same effects in other orders:\n",
            table(("first three", "hit"), by_order(found)),
            "",
        ]
    )


def by_cause(found: Cases) -> list[list[str]]:
    """Give a line for each cause, and one for all of them together."""
    first = [frozenset(family for family, _ in told[:LEADING]) for told in found.told]
    causes, accounts = found.causes, found.rows["account_id"].to_numpy(dtype=object)
    is_named = np.isin(causes, list(FAMILIES))
    chance = {cause: _chance(first, accounts, is_named, cause) for cause in FAMILIES}
    truest = [json.loads(text) for text in found.rows["truest"]]
    in_truth = np.array([cause in three for cause, three in zip(causes, truest, strict=True)])
    hits = _hits(first, causes)
    drawn = Resampled.of(found.rows["customer_group"].to_numpy(dtype=object))
    lines = []
    for name, counts in ((cause, causes == cause) for cause in FAMILIES):
        lines.append(_line(name, counts, hits, chance[name], in_truth, drawn, accounts))
    overall = float(np.mean([chance[cause] for cause in causes[is_named]]))
    return [*lines, _line("all", is_named, hits, overall, in_truth, drawn, accounts)]


def _line(
    name: str,
    counts: NDArray[np.bool_],
    hits: NDArray[np.bool_],
    chance: float,
    in_truth: NDArray[np.bool_],
    drawn: Resampled,
    accounts: NDArray[np.object_],
) -> list[str]:
    share = drawn.ratio((hits & counts).astype(float), counts.astype(float))
    if share is None:
        return [name, "0", "", f"{ASKED:.0%}", "", "", ""]
    return [
        name,
        f"{counts.sum():,} ({len(set(accounts[counts])):,})",
        between(share),
        f"{ASKED:.0%}",
        "yes" if share["value"] >= ASKED else "**no**",
        f"{chance:.3f}",
        f"{in_truth[counts].mean():.3f}",
    ]


def _hits(first: Sequence[frozenset[str]], causes: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Mark the cases with a family among the first that tells of their cause; none has no cause."""
    pairs = zip(first, causes, strict=True)
    return np.array([bool(own & FAMILIES.get(cause, frozenset())) for own, cause in pairs])


def _chance(
    first: Sequence[frozenset[str]],
    accounts: NDArray[np.object_],
    is_named: NDArray[np.bool_],
    cause: str,
) -> float:
    """Give the share of lost accounts, each counted once, whose reasons would name a cause."""
    would = np.array([bool(own & FAMILIES[cause]) for own in first])[is_named]
    return float(pd.Series(would).groupby(accounts[is_named]).mean().mean())


def by_order(found: Cases) -> list[list[str]]:
    """Give the share that is hit when the same effects are ordered otherwise."""
    causes = found.causes
    is_named = np.isin(causes, list(FAMILIES))
    drawn = Resampled.of(found.rows["customer_group"].to_numpy(dtype=object))
    lines = []
    for name, order in ORDERS.items():
        hits = _hits([frozenset(order(told)) for told in found.told], causes)
        share = drawn.ratio((hits & is_named).astype(float), is_named.astype(float))
        lines.append([name, "" if share is None else between(share)])
    return lines


def strongest(told: Told) -> list[str]:
    """Name the families of the three subjects that raise most."""
    return [family for family, _ in sorted(told, key=lambda each: -each[1])[:LEADING]]


def one_a_family(told: Told) -> list[str]:
    """Name the three families of the strongest subjects."""
    by_effect = sorted(told, key=lambda each: -each[1])
    return list(dict.fromkeys(family for family, _ in by_effect))[:LEADING]


def without_context(told: Told) -> list[str]:
    """Name the three families of the strongest subjects that say what went wrong."""
    return one_a_family([each for each in told if each[0] not in CONTEXT])


def as_shown(told: Told) -> list[str]:
    """Name the families of the first three reasons."""
    return [family for family, _ in told[:LEADING]]


ORDERS: Mapping[str, Callable[[Told], list[str]]] = MappingProxyType(
    {
        "the strongest subjects": strongest,
        "the strongest subjects, one of each family": one_a_family,
        "the same, the contract's standing after the others": without_context,
        "as shown: families by what all their subjects raise together": as_shown,
    }
)


def unseen(found: Cases) -> str:
    """Say of how many of the missed cases the model makes nothing of the cause."""
    missed = [
        max(_together(told, family) for family in FAMILIES[cause])
        for told, cause in zip(found.told, found.causes, strict=True)
        if cause in FAMILIES and not FAMILIES[cause].intersection(as_shown(told))
    ]
    nothing = sum(effect < NOTHING for effect in missed)
    return (
        f"Of the {len(missed):,} cases that are missed the model makes nothing of the cause in "
        f"{nothing:,}: no family that tells of it raises the log odds by {NOTHING}, so that no "
        "order of its effects would name it."
    )


def _together(told: Told, family: str) -> float:
    return sum(effect for own, effect in told if own == family)


def _apart(found: Cases) -> str:
    lost = found.rows[~np.isin(found.causes, list(FAMILIES))]
    return (
        f"Not counted: {len(lost):,} cases of {lost['account_id'].nunique():,} accounts that left "
        "for a cause that no table tells of."
    )


def _kept(folder: Path, accounts: int, seed: int, say: Say) -> pd.DataFrame:
    file = folder / f"seed-{seed}.parquet"
    if not file.exists():
        say(f"seed {seed}: living, checking, building features, training")
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="tenure-reasons-") as aside:
            cases_of(Path(aside), seed, accounts).to_parquet(file)
    return pd.read_parquet(file)


def cases_of(aside: Path, seed: int, accounts: int) -> pd.DataFrame:
    """Live a company, train on it as usual, and give the cases of its test period."""
    company, home = aside / "company", Home(aside / "home")
    simulate(company, accounts=accounts, months=MONTHS, seed=seed)
    source = check(str(company), home=home)
    ready = prepared(built(source, month_starts(source), home=home), CHURN)
    question, split = ready.question, ready.split
    way = choose(ready.panel, question, ready.features, split.test_from)
    bundle = fit_bundle(ready.rows, question, ready.features, split, way.params)
    lost = _flagged_and_lost(bundle, scored_later(bundle, ready.rows, split))
    why = read_causes(company).query("event == 'churn'")[["account_id", "cause"]]
    lost = lost.drop(columns="cause").merge(why, on="account_id", validate="many_to_one")
    lost = lost.merge(truest(company), on=KEYS, validate="one_to_one")
    lost["reasons"] = [json.dumps(told) for told in _told(bundle, lost)]
    names = {name: f"{seed}-" + lost[name].astype(str) for name in ("account_id", "customer_group")}
    kept = ["account_id", "customer_group", "as_of", "cause", "reasons", "truest"]
    return lost.assign(**names)[kept]


def _flagged_and_lost(bundle: Bundle, later: pd.DataFrame) -> pd.DataFrame:
    days = bundle.question.main_horizon_days
    bands = bundle.bands(later[f"probability__{days}d"].to_numpy(), days)
    return later[(np.array(bands) != "low") & (later[f"outcome__{days}d"] == 1)]


def _told(bundle: Bundle, rows: pd.DataFrame) -> list[Told]:
    families = {entry["column"]: family_of(entry) for entry in bundle.catalogue}
    days, most = bundle.question.main_horizon_days, len(bundle.features)
    return [
        [(families[reason.feature], reason.effect) for reason in of_row]
        for of_row in explain(bundle, rows, days, most)
    ]


def truest(company: Path) -> pd.DataFrame:
    """Give account_id, as_of and ``truest`` of each paying account and month, as `Cases` has it."""
    truth = read_truth(company)
    state = State(**{each.name: truth.states[each.name].to_numpy() for each in fields(State)})
    added = np.stack(causes_of_risk(state, truth.world), axis=1)
    order = np.argsort(-added, axis=1, kind="stable")[:, :LEADING]
    three = [
        json.dumps([CAUSES[1 + cause] for cause in causes if of_row[cause] > 0])
        for causes, of_row in zip(order, added, strict=True)
    ]
    return truth.states[KEYS].assign(truest=three)


def main() -> None:
    """Find what is missing, and print the page's part."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--seeds", type=int, nargs="+", default=[21, 22, 23])
    parser.add_argument("--accounts", type=int, default=600)
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    found = section(options.cache / "reasons", options.accounts, options.seeds, _say)
    print(found)
    if options.write:
        seeds = " ".join(map(str, options.seeds))
        made = (
            f"Made by `python -m benchmarks.reasons --accounts {options.accounts} --seeds {seeds}`."
        )
        write_between(options.write, [made, "", *found.splitlines()[2:]])


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

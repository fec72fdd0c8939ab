"""What lists catch and win, as the back-test's tables for people."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from training.report import Section
from training.shown import cell

HALF = 0.5
EXPECTED = "expected_mrr"
BEST = ("profit", "listed_share")
LISTED = ("listed", "listed_share", "precision", "recall", "lift", "arr_caught", "profit")

LISTS = (
    "What a team finds that can call only so many accounts on each date, by probability, or by the "
    "MRR expected to go, as the work list has it. Profit is that of one date, in the company's "
    "currency: {save_chance:.0%} of the losses on the list are kept for {kept_months:g} months, "
    "each account on it costs {touch_cost:g}, and {offer_cost:g} more if it is kept or would have "
    "stayed. These numbers are assumptions; tenure.toml sets others."
)
BEST_LISTS = (
    "What each order would win in a date if its list were as long as it pays, and nobody knew the "
    "chance to save exactly: {save_chance:.0%} on average, spread as a beta distribution (the "
    "expected maximum profit of Verbraken et al. 2013, each account with its own MRR). Cost and "
    "worth are those of the lists above."
)


def lists(metrics: Mapping[str, Any]) -> Iterator[Section]:
    """Lay out what lists catch: of a share of the accounts, of the team, and of the best length."""
    head = ("list", *(name.replace("_", " ") for name in LISTED))
    shares = [
        (f"first {each['share']:.0%} by {each['order'].replace('_', ' ')}", *_listed(each))
        for each in metrics["capacity"]
    ]
    yield Section("What lists catch", head, shares, LISTS.format(**metrics["economics"]))
    team = [
        (f"by {order.replace('_', ' ')}", *_listed(each))
        for order, each in metrics["at_team"].items()
    ]
    rivals = [
        (name.replace("_", " "), *_listed(each)) for name, each in metrics["rivals_at_team"].items()
    ]
    yield Section("What the team's lists catch", head, team + rivals, _team_words(metrics))
    best = [
        (f"by {name.replace('_', ' ')}", *_won(found))
        for name, found in metrics["best_lists"].items()
    ]
    head = ("list", "expected maximum profit", "listed share")
    yield Section(
        "What the best list would win", head, best, BEST_LISTS.format(**metrics["economics"])
    )


def lists_by_date(origins: Sequence[Mapping[str, Any]]) -> Section:
    """Lay out what the first tenth of each date, by expected MRR, catches at each origin."""
    rows = [
        (f"{run['origin']}, {name}", *_listed(found))
        for run in origins
        for name, found in (("first 10%", _tenth(run)), ("the team's", _of_team(run)))
    ]
    head = ("origin, list", *(name.replace("_", " ") for name in LISTED))
    return Section("What lists by expected MRR catch, date by date", head, rows)


def best_by_date(origins: Sequence[Mapping[str, Any]]) -> Section:
    """Lay out what the best list by expected MRR would win at each origin, and how long it is."""
    rows = [(run["origin"], *_won(run["best_lists"][EXPECTED])) for run in origins]
    head = ("origin", "expected maximum profit", "listed share")
    return Section("What the best list by expected MRR would win, date by date", head, rows)


def _won(found: Mapping[str, Any] | None) -> Iterator[str]:
    return (cell(found and found[name]) for name in BEST)


def _tenth(run: Mapping[str, Any]) -> Mapping[str, Any]:
    (found,) = (
        each for each in run["capacity"] if (each["share"], each["order"]) == (0.10, EXPECTED)
    )
    return dict(found)


def _of_team(run: Mapping[str, Any]) -> Mapping[str, Any]:
    return dict(run["at_team"][EXPECTED])


def _team_words(metrics: Mapping[str, Any]) -> str:
    told = " and ".join(f"{count} {tier}-touch" for tier, count in metrics["team"].items())
    words = f"On each date a CSM gets to {told} accounts, or to a mix of them."
    if not metrics["at_team"]["probability"]["listed"]:
        return f"{words} No account of these tiers has a CSM, so that the lists are empty."
    if not _sorts_out(metrics):
        return f"{words} {EVERYBODY}"
    return f"{words} {MOST if _holds_most(metrics) else ''}".strip()


EVERYBODY = (
    "Here the CSMs can look after every account of their tiers: the list sorts nobody out, and "
    "every order of it catches the same, so that this table says nothing here. Look at the lists "
    "of 5 and 10 %."
)


MOST = (
    "Here the CSMs can look after more than half of all accounts: what such a list catches says "
    "little of its order. Look at the lists of 5 and 10 %."
)


def _holds_most(metrics: Mapping[str, Any]) -> bool:
    return any(each["listed_share"] > HALF for each in metrics["at_team"].values())


def _sorts_out(metrics: Mapping[str, Any]) -> bool:
    lists = [*metrics["at_team"].values(), *metrics["rivals_at_team"].values()]
    return len({each["recall"]["value"] if each["recall"] else None for each in lists}) > 1


def _listed(found: Mapping[str, Any]) -> Iterator[str]:
    return (cell(found[name]) for name in LISTED)

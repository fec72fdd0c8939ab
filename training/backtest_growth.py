"""What a back-test tells of growth: expected added MRR, and the next product, as tables."""

from collections.abc import Iterator, Mapping
from typing import Any

from training.next_product import NONE_TOLD
from training.report import Section
from training.shown import cell


def growth(metrics: Mapping[str, Any]) -> Iterator[Section]:
    """Lay out what a back-test of expansion tells beside the probabilities."""
    yield _added(metrics["added_mrr"])
    yield _next_product(metrics["next_product"])


def _added(by_horizon: Mapping[str, Any]) -> Section:
    names = (
        "realised_over_expected",
        "deviance",
        "absolute_error",
        "rank_agreement",
        "first_tenth",
    )
    rows = [
        (
            f"{days} days, {words}",
            f"{found[way]['expansions']:,}",
            f"{found[way]['expected']:,.0f}",
            f"{found[way]['realised']:,.0f}",
            *(cell(found[way][name]) for name in names),
            cell(found["above_mean_share"]["deviance"], sign="+") if way == "share" else "",
        )
        for days, found in by_horizon.items()
        for way, words in (("share", "as told"), ("mean_share", "by the mean share"))
    ]
    told = ("expansions", "expected", "realised", *names, "deviance above the mean share's")
    head = ("", *(name.replace("_", " ") for name in told))
    return Section("Expected added MRR", head, rows, ADDED)


ADDED = (
    "Probability times amount, against the MRR that expansions had added by the horizon, a month, "
    "summed over all rows and dates. Deviance (of the share of its MRR that an account adds), "
    "absolute error (money) and rank agreement (Spearman's) are of the amounts of those that did "
    "expand; first tenth is the share of all added MRR that stood on the first tenth of each date. "
    "By the mean share every account adds the same share of what it pays; a model tells accounts "
    "apart unless that was worse in its own past."
)


def _next_product(found: Mapping[str, Any]) -> Section:
    caption = "The next product"
    if not found:
        return Section(caption, (), (), NONE_TOLD)
    rows = [
        (words, cell(found[way]["hit_at_1"]), cell(found[way]["hit_at_3"]))
        for way, words in (("told", "by what those alike bought"), ("popular", "the most bought"))
    ]
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in found["kinds"].items())
    counted = (
        f"Of {found['purchases']:,} purchases of a further product by {found['customers']:,} "
        "customers, each judged at the last date before it: how often the one that came was named "
        f"first, or among the first three. Expansions were made of: {kinds}."
    )
    return Section(caption, ("", "named first", "among the first three"), rows, counted)

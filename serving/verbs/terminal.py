"""The work list for a terminal: the first accounts, one line each."""

import io
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table

from serving.publishing.release import Released
from serving.scoring.plays import NO_REASON, leading_reason

SHOWN = (
    "account_id",
    "name",
    "csm",
    "arr",
    "renews_at",
    "renewal_probability",
    "notice_deadline",
    "probability",
    "band",
    "expected_loss",
)


DATES = ("renews_at", "notice_deadline")


def records(released: Released, limit: int) -> list[dict[str, Any]]:
    """Give the first accounts as JSON values: account_id, name, csm, arr, …, first reason."""
    return [
        {
            **{str(name): None if pd.isna(value) else value for name, value in row.items()},
            **{name: None if pd.isna(row[name]) else f"{row[name]:%Y-%m-%d}" for name in DATES},
        }
        for row in _top(released, limit).to_dict("records")
    ]


def text(released: Released, limit: int, width: int) -> str:
    """Lay the first accounts out as a table of at most `width` characters."""
    publication = released.publication
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, expand=True)
    table.add_column("Account", no_wrap=True, ratio=2)
    table.add_column(f"ARR {publication.currency}", justify="right", no_wrap=True)
    table.add_column("Renewal", no_wrap=True)
    table.add_column("Renews", justify="right", no_wrap=True)
    table.add_column(f"Leaves in {publication.list_horizon_days} d", justify="right", no_wrap=True)
    table.add_column("First reason", ratio=4)
    for row in records(released, limit):
        name = str(row["name"] or row["account_id"])
        renews = row["renewal_probability"]
        shares = (
            f"{row['arr']:,.0f}",
            row["renews_at"] or "",
            "" if renews is None else f"{renews:.0%}",
            f"{row['probability']:.0%}",
        )
        table.add_row(name, *shares, row["reason"])
    page = io.StringIO()
    Console(file=page, width=width, highlight=False, markup=False).print(table)
    return "\n".join(line.rstrip() for line in page.getvalue().strip("\n").splitlines())


def _top(released: Released, limit: int) -> pd.DataFrame:
    listed, scores = released.listed, released.scores
    first = listed.dropna(subset=["position"]).sort_values("position").head(limit)
    told = released.renewals[["account_id", "notice_deadline", "renewal_probability"]]
    first = first.merge(told, on="account_id", how="left", validate="one_to_one")
    at_horizon = scores["horizon_days"] == released.publication.list_horizon_days
    reasons = scores[(scores["model"] == "churn") & at_horizon].set_index("account_id")["reasons"]
    texts = [_first_reason(reasons.loc[account]) for account in first["account_id"]]
    return first[list(SHOWN)].assign(reason=texts)


def _first_reason(reasons: list[dict[str, Any]]) -> str:
    leading = leading_reason(reasons)
    return str(leading["text"]) if leading else NO_REASON

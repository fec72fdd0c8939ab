"""Rules for one row."""

import polars as pl
import pytest
from polars.exceptions import ColumnNotFoundError

from features.contracts import TABLES
from features.sources.rules import Rule, failing_rows, is_before

FRAME = pl.DataFrame({"row": [1, 2, 3], "x": [1, None, 3]})


def test_it_names_each_row_and_rule_that_is_broken():
    rules = [
        Rule("x", "is missing", pl.col("x").is_not_null()),
        Rule("x", "is above 2", pl.col("x") <= 2),
    ]
    failures = failing_rows(FRAME, rules).sort("index")
    assert failures.rows() == [("x", "is missing", 1), ("x", "is above 2", 2)]


def test_a_rule_that_holds_names_no_row():
    assert failing_rows(FRAME, [Rule("x", "is above 3", pl.col("x") <= 3)]).is_empty()


def test_a_rule_that_cannot_be_computed_lets_nothing_pass():
    with pytest.raises(ColumnNotFoundError):
        failing_rows(FRAME, [Rule("x", "is odd", pl.col("absent") > 1)])


@pytest.mark.parametrize(
    ("earlier", "later", "expected"),
    [
        ("2024-03-01T09:00", "2024-03-01T10:00", True),
        ("2024-03-01T10:00", "2024-03-01T10:00", False),
        ("2024-03-01T10:00", "2024-03-01T23:59:59.999999", False),
        ("2024-03-01T23:59:59.999999", "2024-03-01T10:00", False),
        ("2024-03-01T23:59:59.999999", "2024-03-02T10:00", True),
    ],
)
def test_a_date_is_compared_by_its_day(earlier, later, expected):
    frame = pl.DataFrame({"a": [earlier], "b": [later]}).select(pl.all().str.to_datetime())
    assert frame.select(is_before(pl.col("a"), pl.col("b"))).item() is expected


def test_every_time_but_a_rows_first_knows_what_it_ends_or_follows():
    loose = {
        (table.name, column.name)
        for table in TABLES.values()
        for column in table.columns
        if column.dtype == "time" and not (column.ends or column.follows)
    }
    assert loose == {(t.name, t.first_time) for t in TABLES.values()} | {
        (
            "subscriptions",
            "cancel_requested_at",
        )  # it may be asked for before a renewal's row starts
    }

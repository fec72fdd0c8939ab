"""Windows that cross their border, and today's rows against those learned from."""

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from models.churn import CHURN
from models.expansion import EXPANSION
from models.made_from import TableRoles
from training.audit.label_windows import Slice, label_windows, longer_than_said
from training.audit.naming import names_rows
from training.audit.train_and_now import DECIDING_AUC, FEWEST_GROUPS, train_and_now
from training.laid_out import audit_table
from training.table import train_table

BORDER = np.datetime64("2024-06-01")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[us]")


@pytest.mark.parametrize(
    ("as_of", "crosses"), [("2024-02-02", False), ("2024-02-03", True), ("2024-06-01", True)]
)
def test_a_window_ends_with_its_grace_at_the_border_or_before(as_of: str, *, crosses: bool) -> None:
    _, found = label_windows((Slice("fit", days("2024-01-01", as_of), 120, BORDER),), BORDER)
    assert bool(found) == crosses
    assert all(each.column == "label_windows" and each.stops for each in found)


def test_a_row_of_the_test_period_before_its_first_date_is_found() -> None:
    extract = np.datetime64("2025-01-01")
    sound = Slice("test", days("2024-06-01"), 120, extract)
    early = Slice("test", days("2024-05-31"), 120, extract)
    assert label_windows((sound,), BORDER)[1] == ()
    (finding,) = label_windows((early,), BORDER)[1]
    assert "1 rows of the test slice lie before" in finding.message


def test_a_test_row_whose_window_reaches_over_the_extract_is_found() -> None:
    young = Slice("test", days("2024-06-01"), 120, np.datetime64("2024-08-01"))
    assert len(label_windows((young,), BORDER)[1]) == 1


MONTHS = pd.date_range("2022-01-01", periods=24, freq="MS")


def panel(accounts: int = 150, seed: int = 1) -> pd.DataFrame:
    """Accounts over months; each leaves with a hazard that its usage tells, a quarter ahead."""
    dice, rows = np.random.default_rng(seed), []
    for account in range(accounts):
        usage, left = dice.normal(), int(dice.integers(4, 60))
        for at, month in enumerate(MONTHS[: left + 1]):
            comes = left - at <= 2
            rows.append((f"a{account}", month, usage + dice.normal() - comes, at, comes))
    names = ["account_id", "as_of", "usage", "age", "label"]
    return pd.DataFrame(rows, columns=names).astype({"label": int})


def stopping(frame: pd.DataFrame, question: object = CHURN) -> set[tuple[str, str]]:
    found = audit_table(frame, question)
    return {(each.column, each.kind) for each in found.stopping}


def test_a_label_of_the_windows_length_is_no_finding() -> None:
    assert stopping(panel().drop(columns="age")) == set()


def test_a_label_that_says_lost_some_day_is_found() -> None:
    frame = panel().drop(columns="age")
    ever = frame.assign(label=frame.groupby("account_id")["label"].transform("max"))
    assert ("label_windows", "label window") in stopping(ever)


def test_only_a_loss_takes_an_account_away() -> None:
    """An account that expands stays: rows after the window say nothing of its length."""
    frame = panel().drop(columns="age")
    ever = frame.assign(label=frame.groupby("account_id")["label"].transform("max"))
    assert ("label_windows", "label window") not in stopping(ever, EXPANSION)


def test_an_account_that_came_back_does_not_make_a_window_long() -> None:
    as_of = np.tile(MONTHS.to_numpy("datetime64[us]"), 40)
    groups = np.repeat(np.arange(40), 24).astype(object)
    lost = (np.arange(len(groups)) % 24 >= 22) | (np.arange(len(groups)) == 3)
    assert longer_than_said(as_of, lost, groups, 120) == ()


def test_a_column_that_grows_with_time_is_left_out_and_named() -> None:
    month = panel().assign(month=lambda f: (f["as_of"] - MONTHS[0]).dt.days).drop(columns="age")
    trained = train_table(month, CHURN)
    assert trained.left_out["month"].startswith("tells now from then: month alone tells")
    assert {each.standing for each in trained.audit.findings if each.blocking} == {"left out"}


def test_a_leak_in_a_ready_table_stops_until_it_is_taken_on() -> None:
    frame = panel().drop(columns="age").assign(why=lambda f: f["label"] * 7.0 + 1)
    assert stopping(frame) == {("why", "decides the outcome")}
    taken_on = TableRoles(accept=("why",))
    assert audit_table(frame, CHURN, taken_on).stopping == ()
    (finding,) = train_table(frame, CHURN, taken_on).audit.findings
    assert (finding.column, finding.standing) == ("why", "accepted")


def rows_of(then: int, now: int, seed: int = 0) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """Rows of both sides, drawn alike, of as many customers as rows, on four dates each."""
    dice, count = np.random.default_rng(seed), then + now
    frame = pd.DataFrame({"a": dice.normal(size=count), "b": dice.normal(size=count)})
    is_now = np.arange(count) >= then
    dates = MONTHS.to_numpy("datetime64[us]")[np.where(is_now, 20, 0) + np.arange(count) % 4]
    names = np.array([f"c{number % 300}" for number in range(count)], dtype=object)
    return frame, {"is_now": is_now, "as_of": dates, "groups": names}


def test_rows_drawn_alike_cannot_be_told_apart() -> None:
    frame, sides = rows_of(1500, 700)
    said, found = train_and_now(frame, ["a", "b"], **sides)
    assert found == ()
    assert 0.4 < float(said.split("AUC of ")[1][:5]) < 0.6


def test_columns_that_moved_are_a_note_and_one_that_tells_all_stops() -> None:
    frame, sides = rows_of(1500, 700)
    moved = frame.assign(a=frame["a"] + 2.0 * sides["is_now"])
    (note,) = train_and_now(moved, ["a", "b"], **sides)[1]
    assert (note.column, note.blocking) == ("train_and_now", False)
    filled = frame.assign(a=frame["a"].where(sides["is_now"]))
    found = train_and_now(filled, ["a", "b"], **sides)[1]
    assert [each.column for each in found if each.stops] == ["a"]


def test_with_too_few_customers_the_comparison_is_not_computed_and_stops() -> None:
    frame, sides = rows_of(1500, 12)
    (finding,) = train_and_now(frame, ["a", "b"], **sides)[1]
    assert (finding.kind, finding.column, finding.stops) == ("not computed", "train_and_now", True)


def of_few(customers: int, columns: int) -> tuple[pd.DataFrame, dict[str, np.ndarray]]:
    """The same few customers on 20 dates then and 4 now; half of a number is the customer's own."""
    dice, count = np.random.default_rng(0), customers * 24
    own = np.tile(dice.normal(size=(customers, columns)), (24, 1))
    frame = pd.DataFrame(own + dice.normal(size=(count, columns)))
    at = np.repeat(np.arange(24), customers)
    names = np.array([f"c{number % customers}" for number in range(count)], dtype=object)
    dates = MONTHS.to_numpy("datetime64[us]")[at]
    sides = {"is_now": at >= 20, "as_of": dates, "groups": names}
    return frame.rename(columns=str), sides


def test_few_customers_are_compared_and_a_column_that_moved_away_is_caught() -> None:
    frame, sides = of_few(10, columns=300)
    said, found = train_and_now(frame, list(frame), **sides)
    assert "told from those learned from with an AUC" in said
    assert not [each for each in found if each.stops]
    shifted = frame.assign(moved=frame["0"] + 8.0 * sides["is_now"])
    found = train_and_now(shifted, list(shifted), **sides)[1]
    assert [each.column for each in found if each.stops] == ["moved"]


def test_chance_seldom_lets_one_of_many_columns_tell_so_few_customers_apart() -> None:
    side = 2 * FEWEST_GROUPS
    orders = np.array(list(combinations(range(2 * side), side)))
    above = orders.sum(axis=1) - sum(range(side))  # pairs in order, Mann and Whitney's U
    areas = above / side**2
    reached = (areas >= DECIDING_AUC) | (areas <= 1 - DECIDING_AUC)
    assert (reached.sum(), len(orders)) == (14, 184_756)
    assert 300 * reached.mean() < 0.03


def test_a_name_that_stands_in_many_rows_is_one_by_what_it_is_called() -> None:
    values = pd.Series([f"Ms. {number % 150}" for number in range(3000)])
    alone = np.arange(3000)
    assert "names them" in str(names_rows("contact_name", values, alone))
    assert names_rows("plan", values, alone) is None


def test_amounts_that_accounts_share_are_no_code() -> None:
    group = np.repeat(np.arange(300), 10)
    seats = pd.Series(np.repeat(np.arange(300) % 90 * 1e6, 10))
    assert names_rows("revenue", seats, group) is None
    assert "a code" in str(names_rows("revenue", seats + group, group))

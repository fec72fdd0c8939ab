"""Ready tables as people send them: what is read, what is refused, and what is said of it."""

import numpy as np
import pandas as pd
import pytest

from features.errors import SourceError, TooLittleDataError
from models.churn import CHURN
from models.made_from import TableRoles
from training.audit.columns import audit
from training.laid_out import audit_table
from training.ready import numbers_in, offered, outcomes
from training.table import train_table
from training.table_file import read_table

PLAIN = "account_id,usage,plan\na,1.5,pro\nb,2.5,free\n"


def flat(rows=200, **columns):
    random = np.random.default_rng(4)
    usage = random.normal(size=rows)
    label = (random.random(rows) < 1 / (1 + np.exp(2 * usage))).astype(int)
    return pd.DataFrame({"usage": usage, "label": label, **columns})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("comma.csv", PLAIN.encode()),
        ("UPPER.CSV", PLAIN.encode()),
        ("marked.csv", PLAIN.encode("utf-8-sig")),
        ("windows.csv", PLAIN.replace("\n", "\r\n").encode()),
        ("tabs.tsv", PLAIN.replace(",", "\t").encode()),
        ("semicolons.csv", PLAIN.replace(",", ";").replace(".", ",").encode()),
        ("quoted.csv", b'"account_id","usage","plan"\n"a","1.5","pro"\n"b","2.5","free"\n'),
    ],
)
def test_text_is_read_as_people_save_it(tmp_path, name, content):
    (tmp_path / name).write_bytes(content)
    found = read_table(tmp_path / name)
    assert found.to_dict("list") == {
        "account_id": ["a", "b"],
        "usage": [1.5, 2.5],
        "plan": ["pro", "free"],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (PLAIN.encode("utf-16"), "text in UTF-8"),
        ("usage,plan\n1,für\n".encode("latin-1"), "text in UTF-8"),
        (b"usage,plan,usage\n1,2,3\n", "'usage' more than once"),
        (b"usage,plan\n", "got 0 rows and 2 columns"),
        (b"", "readable table"),
    ],
)
def test_text_that_cannot_be_read_rightly_is_refused(tmp_path, content, said):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(SourceError, match=said):
        read_table(tmp_path / "t.csv")


def test_a_cell_that_holds_a_list_is_refused(tmp_path):
    pd.DataFrame({"usage": [1, 2], "tags": [["a"], ["b", "c"]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(SourceError, match="in the column 'tags'"):
        read_table(tmp_path / "t.parquet")


def test_the_region_na_is_a_region_and_among_numbers_it_is_missing(tmp_path):
    (tmp_path / "t.csv").write_text("region,usage,label\nNA,1,yes\nEU,NA,no\nNA,,NA\n")
    found = read_table(tmp_path / "t.csv")
    assert found["region"].tolist() == ["NA", "EU", "NA"]
    np.testing.assert_equal(numbers_in(found["usage"]).to_numpy(), [1, np.nan, np.nan])
    np.testing.assert_equal(outcomes(found["label"]), [1, 0, np.nan])


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["12.3%", "7%", ""], [12.3, 7, np.nan]),
        (["1,234.50", "12,345,678", "12"], [1234.5, 12345678, 12]),
        (["12.3%", "7", "8"], None),
        (["1,5", "2", "3"], None),
        (["1,234", "2 and a half"], None),
    ],
)
def test_percents_and_thousands_are_numbers(written, meant):
    found = numbers_in(pd.Series(written))
    assert (found is None) == (meant is None)
    if meant is not None:
        np.testing.assert_equal(found.to_numpy(), meant)


def test_a_few_slips_leave_a_column_of_numbers_and_are_told():
    rows = flat(spend=[str(number) for number in range(200)])
    rows.loc[:19, "spend"] = "unknown"
    found = offered(rows, apart=["label"], learn=np.ones(200, bool))
    assert found.frame["spend"].isna().sum() == 20
    said = "spend holds numbers but for 20 of 200 rows, such as 'unknown'"
    assert found.notes == (f"{said}, which were read as missing.",)


def test_grades_and_words_stay_words():
    grades = flat(grade=["1", "2", "3", "4", "unknown"] * 40)
    words = flat(code=[str(at) if at % 2 else f"x{at % 7}" for at in range(200)])
    learn = np.ones(200, bool)
    assert list(offered(grades, apart=["label"], learn=learn).categories) == ["grade"]
    assert list(offered(words, apart=["label"], learn=learn).categories) == ["code"]


@pytest.mark.parametrize(
    ("dates", "said"),
    [
        (["01.02.2023"] * 200, "'01.02.2023'. Write them so"),
        (["2/1/2023"] * 200, "Write them so"),
        (list(range(19000, 19200)), "'19000'. Write them so"),
        (["2023-02-30"] * 200, "200 rows without"),
        (["2023-02-01"] * 199 + ["2999-01-01"], "got 2999-01-01 and 0 more later ones"),
    ],
)
def test_a_date_of_two_meanings_or_to_come_is_refused(dates, said):
    with pytest.raises(SourceError, match=said):
        audit_table(flat(when=dates), CHURN, TableRoles(time="when"))


@pytest.mark.parametrize("roles", [TableRoles(group="label"), TableRoles(time="day", group="day")])
def test_a_column_has_one_role(roles):
    with pytest.raises(SourceError, match="for two of them"):
        train_table(flat(day="2024-01-01"), CHURN, roles)


def test_too_few_groups_to_part_are_said_to_be():
    with pytest.raises(TooLittleDataError, match=r"group column 'plan', .* got 3"):
        train_table(flat(plan=["a", "b", "c", "a"] * 50), CHURN, TableRoles(group="plan"))


def test_whole_numbers_that_floats_cannot_tell_apart_name_rows():
    rows = flat(big=2**62 + np.random.default_rng(1).permutation(200))
    found = audit(rows.drop(columns="label"), rows["label"].to_numpy(float))
    assert [(each.kind, each.column) for each in found] == [("names a row", "big")]


def test_a_column_that_may_say_whose_row_it_is_is_said_to():
    rows = flat(owner=[f"g{at // 2}" if at < 20 else f"g{at}" for at in range(200)])
    found = audit(rows.drop(columns="label"), rows["label"].to_numpy(float))
    assert "name it with --group" in found[0].message


def test_rows_without_a_label_and_rows_that_come_twice_are_told():
    rows = pd.concat([flat(), flat().head(30), flat().head(10).assign(label=None)])
    said = train_table(rows.reset_index(drop=True), CHURN).notes
    assert said[0] == "10 of 240 rows have no label: nothing is learned from them."
    assert said[1].startswith("30 of 230 rows repeat another in every column")

"""How one cell is read: generous with spellings, strict about values."""

import duckdb
import pytest

from features.contracts import Column, Type
from features.sources.cells import typed


def read(dtype, cell, native="VARCHAR", allowed=()):
    """Give the text of what a cell is read as; the cell is SQL for other types than VARCHAR."""
    sql = f"CAST({cell!r} AS VARCHAR)" if native == "VARCHAR" else f"CAST({cell} AS {native})"
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        value = typed(Column("x", dtype, allowed=allowed), "x", native)
        row = connection.execute(f"SELECT CAST({value} AS VARCHAR) FROM (SELECT {sql} AS x)")
        return row.fetchall()[0][0]


@pytest.mark.parametrize("cell", ["true", "TRUE", " t ", "Yes", "y", "1", "1.0", "on"])
def test_yes_has_many_spellings(cell):
    assert read(Type.BOOLEAN, cell) == "true"


@pytest.mark.parametrize("cell", ["false", "False", "f", "no", "N", "0", "0.0", "off"])
def test_no_has_many_spellings(cell):
    assert read(Type.BOOLEAN, cell) == "false"


@pytest.mark.parametrize("cell", ["", " ", "maybe", "2", "-1"])
def test_other_words_are_neither(cell):
    assert read(Type.BOOLEAN, cell) is None


TIMES = {
    "2024-03-01": "2024-03-01 23:59:59.999999",
    " 2024-03-01 ": "2024-03-01 23:59:59.999999",
    " 2024-03-01 10:30 ": "2024-03-01 10:30:00",
    "2024/3/1": "2024-03-01 23:59:59.999999",
    "2024-03-01 10:30": "2024-03-01 10:30:00",
    "2024-03-01T10:30:15.5": "2024-03-01 10:30:15.5",
    "2024-03-01T10:30:00Z": "2024-03-01 10:30:00",
    "2024-03-01T10:30:00+02:00": "2024-03-01 08:30:00",
    "2024-03-01 10:30:00-0530": "2024-03-01 16:00:00",
    "2024-03-01 00:00:00": "2024-03-01 00:00:00",
    "9999-12-31": "9999-12-31 23:59:59.999999",
}


@pytest.mark.parametrize("cell", TIMES)
def test_a_time_is_read_as_utc(cell):
    assert read(Type.TIME, cell) == TIMES[cell]


@pytest.mark.parametrize(
    "cell",
    ["", "2024-02-30", "01.03.2024", "03/01/2024", "1709251200", "infinity", "epoch", "12024-01-01",
     "0000-01-01", "2024-03-01 25:00", "yesterday"],
)  # fmt: skip
def test_what_is_no_iso_time_is_none(cell):
    assert read(Type.TIME, cell) is None


NATIVE_TIMES = {
    ("DATE '2024-03-01'", "DATE"): "2024-03-01 23:59:59.999999",
    ("'2024-03-01 10:00+02'", "TIMESTAMP WITH TIME ZONE"): "2024-03-01 08:00:00",
    ("'2024-03-01 10:00'", "TIMESTAMP_NS"): "2024-03-01 10:00:00",
    ("'infinity'", "TIMESTAMP"): None,
    ("1709251200", "BIGINT"): None,
}


@pytest.mark.parametrize(("cell", "native"), NATIVE_TIMES)
def test_a_time_of_a_typed_file_keeps_its_meaning(cell, native):
    assert read(Type.TIME, cell, native) == NATIVE_TIMES[cell, native]


@pytest.mark.parametrize(
    ("cell", "number"),
    [("12", "12"), (" 12.0", "12"), ("1e3", "1000"), ("12.5", None), ("1,000", None),
     ("0x10", None), ("1e300", None), ("nan", None), ("", None)],
)  # fmt: skip
def test_a_whole_number_has_no_fraction(cell, number):
    assert read(Type.INTEGER, cell) == number


@pytest.mark.parametrize(
    ("cell", "amount"),
    [("12", "12.0000"), ("-0.12345", "-0.1235"), ("1,000", None), ("€5", None), ("1e20", None)],
)
def test_an_amount_has_four_places(cell, amount):
    assert read(Type.MONEY, cell) == amount


def test_an_amount_from_a_float_is_the_nearest_decimal():
    assert read(Type.MONEY, "0.1 + 0.2", "DOUBLE") == "0.3000"


def test_an_allowed_value_is_known_in_capitals_and_another_is_kept_for_the_rules():
    assert read(Type.TEXT, " High ", allowed=("high",)) == "high"
    assert read(Type.TEXT, "Higher", allowed=("high",)) == "Higher"


def test_an_empty_text_is_missing():
    assert read(Type.TEXT, "  ") is None

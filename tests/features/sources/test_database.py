"""A database with tables of the contract's names is a source like a folder."""

import sqlite3
import subprocess
import sys
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
import sqlalchemy as sa

from features.errors import SourceError
from features.sources.check import check
from features.sources.database import _text

BASE = {
    "accounts": "account_id created_at\na 2024-01-01\nb 2024-02-01T10:00:00+02:00",
    "subscriptions": "subscription_id account_id product mrr started_at\ns a base 1.5 2024-01-01",
    "trainings": "account_id completed_at\na 2024-02-01\na 2024-02-01\nz 2024-02-01",
}


@pytest.fixture
def database(tmp_path):
    file = tmp_path / "company.db"
    connection = sqlite3.connect(file)
    for name, text in BASE.items():
        heading, *rows = (line.split() for line in text.splitlines())
        connection.execute(f"CREATE TABLE {name} ({', '.join(heading)})")
        marks = ", ".join("?" * len(heading))
        connection.executemany(f"INSERT INTO {name} VALUES ({marks})", rows)
    connection.execute("CREATE TABLE cats (name)")
    connection.commit()
    connection.close()
    return file


def test_it_gives_what_the_same_tables_give_as_files(database, home, company):
    source = check(f"sqlite:///{database}", home=home, limit=0.5)
    files = company(BASE, extracted_at=None, limit=0.5)
    assert source.fingerprint == files.fingerprint
    assert source.counts == files.counts


def test_postgresql_gives_what_the_same_tables_give_as_files(
    new_store_url, tmp_path, home, company
):
    types = {"mrr": "numeric", "started_at": "date", "completed_at": "date"}
    with new_store_url("postgresql", tmp_path) as url:
        engine = sa.create_engine(url)
        with engine.begin() as connection:
            for name, text in BASE.items():
                heading, *rows = (line.split() for line in text.splitlines())
                columns = ", ".join(f"{column} {types.get(column, 'text')}" for column in heading)
                connection.exec_driver_sql(f"CREATE TABLE {name} ({columns})")
                marks = ", ".join(["%s"] * len(heading))
                insert = f"INSERT INTO {name} VALUES ({marks})"
                connection.exec_driver_sql(insert, [tuple(row) for row in rows])
        engine.dispose()
        source = check(url, home=home, limit=0.5)
    assert source.fingerprint == company(BASE, extracted_at=None, limit=0.5).fingerprint


def test_a_view_counts_as_a_table(database, home):
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE accounts RENAME TO customers")
        connection.execute("CREATE VIEW accounts AS SELECT * FROM customers WHERE account_id = 'a'")
    connection.close()
    assert check(f"sqlite:///{database}", home=home, limit=0.5).counts["accounts"].accepted == 1


def test_source_toml_maps_a_database_as_it_maps_a_folder(database, home, tmp_path):
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE accounts RENAME TO customers")
        connection.execute("ALTER TABLE trainings RENAME TO courses")
    connection.close()
    (tmp_path / "source.toml").write_text(f"""
        database = "sqlite:///{database}"
        extracted_at = 2025-01-01
        [tables.accounts]
        file = "customers"
        [tables.trainings]
        sql = "select * from courses where account_id <> 'z'"
    """)
    source = check(str(tmp_path), home=home)
    assert source.counts["accounts"].accepted == 2
    assert source.counts["trainings"].read == 2
    assert not source.extracted_at_is_guess


def test_values_of_any_driver_become_text():
    cells = [
        None,
        7,
        1.5,
        Decimal("1.50"),
        True,
        b"x",
        date(2024, 1, 2),
        datetime(2024, 1, 2, tzinfo=UTC),
    ]
    assert [_text(cell) for cell in cells] == [
        None, "7", "1.5", "1.50", "True", "x", "2024-01-02", "2024-01-02T00:00:00+00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///nowhere.db", "Expected an SQLite file at nowhere.db"),
        ("nosuch://host/name", "Expected a database URL that can be opened"),
        ("postgresql://nobody@127.0.0.1:1/x", "Expected a (readable database|database URL)"),
    ],
)
def test_a_database_that_cannot_be_opened_is_refused(home, url, message):
    with pytest.raises(SourceError, match=message):
        check(url, home=home)


def test_a_database_without_the_tables_is_refused(home, tmp_path):
    file = tmp_path / "cats.db"
    connection = sqlite3.connect(file)
    connection.execute("CREATE TABLE cats (name)")
    connection.close()
    with pytest.raises(
        SourceError, match=r"Expected tables of the contract's names in .*, got cats"
    ):
        check(f"sqlite:///{file}", home=home)


def test_a_password_is_in_no_message(home):
    with pytest.raises(SourceError) as caught:
        check("postgresql://nobody:hunter2@127.0.0.1:1/x", home=home)
    assert "hunter2" not in str(caught.value)


def test_a_folder_is_checked_without_sqlalchemy() -> None:
    code = "import sys, features.sources.check; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""A store is brought to the code's version when it is opened, and no row is lost."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE
from types import ModuleType
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from features.errors import StoreError
from serving.store import tables
from serving.store.database import open_store
from serving.store.migrate import FOLDER, TABLE, newest, take_steps, version_of

if TYPE_CHECKING:
    from tests.conftest import PostgresServer

BEFORE = Path(__file__).parent / "store_before_versions"
OPEN = """
import sys
import alembic.runtime.environment, alembic.script  # so that all are as quick
from serving.store.database import open_store
print("ready", flush=True)
sys.stdin.readline()
open_store(sys.argv[1]).close()
"""


def run_script(url: str, text: str) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in text.split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(statement)
    engine.dispose()


def rows_of(url: str) -> dict[str, list[dict[str, object]]]:
    """Read every table by the names that the database has."""
    engine = sa.create_engine(url)
    there = sa.MetaData()
    there.reflect(engine)
    with engine.connect() as connection:
        found = {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in there.sorted_tables
        }
    engine.dispose()
    return found


def store_before_versions(url: str) -> None:
    for name in (f"{sa.make_url(url).get_backend_name()}.sql", "rows.sql"):
        run_script(url, (BEFORE / name).read_text(encoding="utf-8"))


def differences(url: str) -> list[object]:
    store = open_store(url)
    with store.reading() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": TABLE})
        found = list(compare_metadata(context, tables.METADATA))
    store.close()
    return found


def step(number: str) -> ModuleType:
    (file,) = FOLDER.glob(f"r{number}_*.py")
    spec = importlib.util.spec_from_file_location(file.stem, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.revision == number
    return module


def test_a_new_store_has_the_tables_that_the_code_names(store_url: str) -> None:
    assert differences(store_url) == []


def test_a_column_that_no_step_makes_is_found(store_url: str) -> None:
    open_store(store_url).close()
    run_script(store_url, "ALTER TABLE tokens DROP COLUMN revoked_at;\n")
    assert "add_column" in str(differences(store_url))


def test_each_step_has_the_number_of_its_file_and_follows_the_one_before() -> None:
    numbers = sorted(file.name[1:5] for file in FOLDER.glob("r*.py"))
    assert numbers == [f"{number:04}" for number in range(1, len(numbers) + 1)]
    assert [step(number).down_revision for number in numbers] == [None, *numbers[:-1]]


def test_a_store_from_before_versions_keeps_every_row(store_url: str) -> None:
    store_before_versions(store_url)
    before = rows_of(store_url)
    assert all(before.values())
    assert differences(store_url) == []
    after = rows_of(store_url)
    kept = {
        name: [{column: row[column] for column in rows[0]} for row in after[name]]
        for name, rows in before.items()
    }
    assert kept == before


def test_a_store_from_before_some_tables_gets_them(store_url: str) -> None:
    store_before_versions(store_url)
    run_script(store_url, "DROP TABLE published_next_products;\nDROP INDEX scores_of_account;\n")
    assert differences(store_url) == []


def test_a_newer_store_is_refused_and_left_alone(store_url: str) -> None:
    open_store(store_url).close()
    run_script(store_url, f"UPDATE {TABLE} SET version_num = '9999';\n")
    with pytest.raises(StoreError, match=r"version \d{4} or older .* got version 9999\. Install"):
        open_store(store_url)


def test_steps_of_which_one_fails_leave_the_store_as_it_was(store_url: str) -> None:
    engine = sa.create_engine(store_url)
    with engine.begin() as connection:
        take_steps(connection, "here", "0001")
        connection.exec_driver_sql("CREATE TABLE audit_heads (in_the_way INTEGER)")
    with pytest.raises(StoreError, match=r"from version 0001 to .* already exists.* as it was"):
        open_store(store_url)
    assert "book" not in {column["name"] for column in sa.inspect(engine).get_columns("tokens")}
    run_script(store_url, "DROP TABLE audit_heads;\n")
    engine.dispose()
    assert differences(store_url) == []


def test_a_role_that_may_not_change_the_tables_is_told_so(postgres: "PostgresServer") -> None:
    run_script(postgres.url, "CREATE ROLE reader LOGIN;\n")
    url = sa.make_url(postgres.url).set(username="reader").render_as_string(hide_password=False)
    with pytest.raises(StoreError, match=r"from version none .* permission denied.* owns its"):
        open_store(url)


def test_processes_that_open_a_store_at_once_do_not_collide(store_url: str) -> None:
    store_before_versions(store_url)
    command = [sys.executable, "-W", "error", "-c", OPEN, store_url]
    opening = [
        subprocess.Popen(command, stdin=PIPE, stdout=PIPE, stderr=PIPE, text=True) for _ in range(4)
    ]
    for process in opening:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in opening:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.communicate(timeout=120)[1] for process in opening] == [""] * 4
    store = open_store(store_url)
    with store.reading() as connection:
        assert version_of(connection) == newest()
    store.close()

"""Files that are odd, and a DuckDB that may look at nothing but the source."""

import polars as pl
import pytest

from features.errors import SourceError
from features.sources.check import check

BASE = {
    "accounts": "account_id created_at\na 2024-01-01",
    "subscriptions": "subscription_id account_id product mrr started_at\ns a base 1 2024-01-01",
}


@pytest.fixture
def folder(source_folder):
    return source_folder(BASE, extracted_at="2024-01-31")


OUTSIDE = (
    "select * from read_csv('{secret}')",
    "select * from '{secret}'",
    "select 'a' as account_id, '2024-01-01' as completed_at from read_text('{secret}')",
    "select * from read_csv('{folder}/../elsewhere/secret.csv')",
    "select 'a' as account_id, '2024-01-01' as completed_at from glob('{secret.parent}/*')",
)


@pytest.mark.parametrize("query", OUTSIDE)
def test_a_query_cannot_read_a_file_outside_of_the_source(folder, home, tmp_path, query):
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.parent.mkdir()
    secret.write_text("account_id,completed_at,content\na,2024-01-01,x\n")
    sql = query.format(secret=secret, folder=folder)
    (folder / "source.toml").write_text(f'[tables.trainings]\nsql = "{sql}"')
    with pytest.raises(SourceError, match="Expected a readable table trainings"):
        check(str(folder), home=home)


@pytest.mark.parametrize(
    "query",
    [
        "copy accounts to 'out.csv'",
        "set threads = 1",
        "attach 'x.db'",
        "install httpfs",
        "select 1; select 2",
    ],
)
def test_a_query_can_do_nothing_but_select(folder, home, query):
    (folder / "source.toml").write_text(f'[tables.trainings]\nsql = "{query}"')
    with pytest.raises(
        SourceError, match=r"Expected one (SELECT|SQL query) at `tables.trainings.sql`"
    ):
        check(str(folder), home=home)
    assert not (folder / "out.csv").exists()


def test_a_linked_file_is_read(folder, home, tmp_path):
    real = tmp_path / "real.csv"
    (folder / "accounts.csv").replace(real)
    (folder / "accounts.csv").symlink_to(real)
    assert check(str(folder), home=home).counts["accounts"].accepted == 1


def test_a_folder_beside_the_tables_is_not_opened(folder, home):
    (folder / "truth").mkdir()
    (folder / "truth" / "hazards.parquet").write_text("no Parquet at all")
    assert check(str(folder), home=home).findings == ()


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_it_reads_csv_as_programs_write_it(folder, home, delimiter, newline):
    lines = ["\ufeffaccount_id,created_at,name", 'a,2024-01-01,"Acme, Inc."', "b,2024-01-01,"]
    text = newline.join(lines).replace(",", delimiter).replace(f"e{delimiter} I", "e, I") + newline
    (folder / "accounts.csv").write_bytes(text.encode())
    accounts = check(str(folder), home=home).read("accounts")
    assert accounts["name"].fillna("none").tolist() == ["Acme, Inc.", "none"]


def test_a_line_that_is_no_row_is_set_aside_with_its_text(folder, home):
    (folder / "accounts.csv").write_text(
        "account_id,created_at\na,2024-01-01\nb\nc,2024-01-01,x,y\nd,2024-01-01\n"
    )
    source = check(str(folder), home=home, limit=1.0)
    counts = source.counts["accounts"]
    assert (counts.read, counts.accepted, counts.quarantined) == (4, 2, 2)
    aside = pl.read_csv(source.quarantine)
    assert aside["row"].to_list() == [2, 3]
    assert aside["value"].to_list() == ["b", "c,2024-01-01,x,y"]


def test_bytes_that_are_no_text_set_their_line_aside(folder, home):
    (folder / "accounts.csv").write_bytes(b"account_id,created_at\na,2024-01-01\n\xff,2024-01-01\n")
    assert check(str(folder), home=home, limit=1.0).quarantined["accounts"] == 1


def test_a_file_of_another_encoding_is_told_by_its_encoding(folder, home):
    lines = "account_id,created_at,name\n" + "".join(f"{n},2024-01-01,Müller\n" for n in range(9))
    (folder / "accounts.csv").write_bytes(lines.encode("latin-1"))
    with pytest.raises(SourceError, match=r"100\.0% in accounts .*not UTF-8.*Latin-1.*save it as"):
        check(str(folder), home=home)


def test_lines_with_a_cell_too_many_are_not_blamed_on_the_encoding(folder, home):
    lines = "account_id,created_at\n" + "a,2024-01-01,Müller\n" * 9
    (folder / "accounts.csv").write_text(lines, encoding="utf-8")
    with pytest.raises(SourceError, match="not a row of the file") as caught:
        check(str(folder), home=home)
    assert "Latin-1" not in str(caught.value)


UNREADABLE = {
    "accounts.csv": [b"", b"a,a\n1,2\n", b"a,\n1,2\n", b"\xff\xfe,b\n1,2\n"],
    "subscriptions.csv": [b"a,b\r1,2\r", b"a" * 200_000 + b"\n1\n"],
    "accounts.parquet": [b"", b"PAR1 but no more"],
}


@pytest.mark.parametrize(
    ("name", "content"), [(name, c) for name, contents in UNREADABLE.items() for c in contents]
)
def test_a_file_that_cannot_be_read_is_named(folder, home, name, content):
    if name == "accounts.parquet":
        (folder / "accounts.csv").unlink()
    (folder / name).write_bytes(content)
    with pytest.raises(SourceError, match=name):
        check(str(folder), home=home)


def test_a_file_without_a_byte_is_said_to_be_one(folder, home):
    (folder / "trainings.csv").touch()
    with pytest.raises(SourceError, match=r"trainings.csv, got a file without a byte\. Extract"):
        check(str(folder), home=home)


def test_two_files_for_one_table_are_refused(folder, home):
    pl.read_csv(folder / "accounts.csv").write_parquet(folder / "accounts.parquet")
    with pytest.raises(SourceError, match="Expected one file for the table accounts"):
        check(str(folder), home=home)


PARTS = {
    "one of CSV alone": (["2024-01.csv"], "2024-01.csv"),
    "one of CSV beside Parquet": (["a.parquet", "b.csv"], "b.csv"),
    "several": (["a.csv", "b/c.csv.gz"], "a.csv and 1 more"),
    "a name in capitals": (["A.PARQUET"], "A.PARQUET"),
}


@pytest.mark.parametrize("kind", PARTS)
def test_parts_that_are_not_read_are_refused(folder, home, kind):
    names, named = PARTS[kind]
    for name in names:
        part = folder / "trainings" / name
        part.parent.mkdir(parents=True, exist_ok=True)
        pl.DataFrame({"account_id": ["a"], "completed_at": ["2024-01-02"]}).write_parquet(part)
    with pytest.raises(SourceError, match=rf"trainings, got {named}\. Write them as Parquet"):
        check(str(folder), home=home)


def test_what_loaders_leave_beside_parts_is_no_part(folder, home):
    parts = folder / "trainings"
    for name in ("_SUCCESS", ".a.csv.crc", "_delta_log/0.json", "README"):
        (parts / name).parent.mkdir(parents=True, exist_ok=True)
        (parts / name).touch()
    rows = pl.DataFrame({"account_id": ["a"], "completed_at": ["2024-01-02"]})
    rows.write_parquet(parts / "a.parquet")
    assert check(str(folder), home=home).counts["trainings"].accepted == 1


def test_files_of_a_kind_that_is_not_read_are_noted(folder, home):
    for name in ("Usage_Events.CSV", "usage_events.csv.gz", "invoices.xlsx", "README.md"):
        (folder / name).touch()
    (note,) = check(str(folder), home=home).findings
    assert note.level == "note"
    assert note.message.endswith(": Usage_Events.CSV, invoices.xlsx, usage_events.csv.gz")


def test_ids_that_became_floats_are_the_ids_they_were(folder, home):
    (folder / "accounts.csv").unlink()
    frame = pl.DataFrame({"account_id": [7.0, 8.0], "created_at": ["2024-01-01"] * 2})
    frame.write_parquet(folder / "accounts.parquet")
    (folder / "subscriptions.csv").write_text(
        "subscription_id,account_id,product,mrr,started_at\ns,7,base,1,2024-01-01\n"
    )
    source = check(str(folder), home=home)
    assert source.read("accounts")["account_id"].tolist() == ["7", "8"]


CSV_IDS = {
    "as they are": (["7", "8"], ["7", "8"]),
    "written as floats": (["7.0", "8.0"], ["7", "8"]),
    "of which some look like floats": (["1.0", "1.5"], ["1.0", "1.5"]),
    "that are versions": (["1.0", "1.0.0"], ["1.0", "1.0.0"]),
}


@pytest.mark.parametrize("kind", CSV_IDS)
def test_ids_of_csv_are_whole_where_all_of_a_column_are_floats(source_folder, home, kind):
    written, read = CSV_IDS[kind]
    heading = "subscription_id account_id product mrr started_at"
    tables = {
        "accounts": "\n".join(["account_id created_at", *(f"{id_} 2024-01-01" for id_ in read)]),
        "subscriptions": "\n".join([heading, *(f"s {id_} {id_} 1 2024-01-01" for id_ in written)]),
    }
    rows = check(str(source_folder(tables)), home=home).read("subscriptions")
    assert rows["account_id"].tolist() == read
    assert rows["product"].tolist() == written


def test_nothing_but_the_answer_goes_to_standard_output(folder, home):
    query = "select 'a' as account_id, '2024-01-01' as completed_at "
    query += "where not current_setting('enable_progress_bar')"
    (folder / "source.toml").write_text(f'[tables.trainings]\nsql = "{query}"')
    assert check(str(folder), home=home).counts["trainings"].accepted == 1

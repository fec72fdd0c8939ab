"""`source.toml`: foreign files, columns, queries and currencies, and mistakes in it."""

import csv
import json
from datetime import datetime
from decimal import Decimal

import pytest

from features.errors import SourceError
from features.sources.check import check
from features.sources.mapping import read_mapping

CUSTOMERS = """
    id  company  since       size
    1   Acme     2024-01-01  12
    2   Bolt     2024-02-01  7
"""
CONTRACTS = """
    customer  plan  price  begin       end
    1         pro   1200   2024-01-01  -
    2         base  600    2024-02-01  2024-12-31
"""
TOML = """
    extracted_at = 2025-01-31

    [tables.accounts]
    file = "customers.csv"
    [tables.accounts.columns]
    account_id = "id"
    name = { column = "company", constant = true }
    created_at = "since"
    tier = { sql = "if(size::int > 10, 'high', 'tech')", constant = true }
    region = { value = "north" }

    [tables.subscriptions]
    sql = '''
        select *, customer || '-' || plan as contract_id from contracts
    '''
    [tables.subscriptions.columns]
    subscription_id = "contract_id"
    account_id = "customer"
    product = { value = "suite" }
    mrr = { sql = "price::decimal(18, 4) / 12" }
    started_at = "begin"
    ended_at = "end"
"""


@pytest.fixture
def foreign(source_folder):
    def make(toml=TOML, **tables):
        folder = source_folder({"customers": CUSTOMERS, "contracts": CONTRACTS, **tables})
        (folder / "source.toml").write_text(toml)
        return folder

    return make


def test_it_reads_foreign_files_columns_expressions_and_values(foreign, home):
    source = check(str(foreign()), home=home)
    accounts = source.read("accounts")
    assert accounts["name"].tolist() == ["Acme", "Bolt"]
    assert accounts["tier"].tolist() == ["high", "tech"]
    assert accounts["region"].tolist() == ["north", "north"]
    subscriptions = source.read("subscriptions")
    assert subscriptions["subscription_id"].tolist() == ["1-pro", "2-base"]
    assert subscriptions["mrr"].tolist() == [Decimal(100), Decimal(50)]
    assert source.stable_columns == {("accounts", "tier")}


def test_a_query_reads_the_folders_files_in_its_own_way_too(foreign, home):
    scan = "from read_csv(getvariable('folder') || '/con*.csv', all_varchar = true)"
    toml = TOML.replace("from contracts", scan)
    assert check(str(foreign(toml)), home=home).counts["subscriptions"].accepted == 2


def test_the_data_may_lie_in_another_folder(foreign, home, tmp_path):
    data = foreign()
    here = tmp_path / "here"
    here.mkdir()
    (here / "source.toml").write_text(f"folder = '../{data.name}'\n{TOML}")
    (data / "source.toml").unlink()
    assert check(str(here), home=home).counts["accounts"].accepted == 2


def test_false_leaves_a_column_out(company):
    accounts = "account_id created_at tier\na 2024-01-01 gold"
    subscriptions = "subscription_id account_id product mrr started_at\ns a base 1 2024-01-01"
    source = company(
        {"accounts": accounts, "subscriptions": subscriptions},
        tables={"accounts": {"columns": {"tier": False}}},
    )
    assert source.columns["accounts"] == ("account_id", "created_at")


RATES = """
    currency  date        rate
    USD       2024-01-01  0.9
    USD       2024-03-01  0.8
"""
INVOICES = """
    invoice_id  account_id  issued_at         due_at      amount  currency
    1           1           2024-02-29        2024-04-01  10.00   USD
    2           1           2024-03-01T00:00  2024-04-01  10.00   USD
    3           1           2024-03-05        2024-04-01  10.00   EUR
    4           1           2023-12-31        2024-04-01  10.00   USD
    5           1           2024-03-05        2024-04-01  10.00   -
"""


def test_money_is_converted_at_the_rate_of_the_rows_own_date(foreign, home):
    toml = f"currency = 'EUR'\nrates = 'fx.csv'\n{TOML}"
    folder = foreign(toml, fx=RATES, invoices=INVOICES)
    source = check(str(folder), home=home, limit=1.0)
    amounts = source.read("invoices").set_index("invoice_id")["amount"].to_dict()
    assert amounts == {"1": Decimal(9), "2": Decimal(8), "3": Decimal(10)}
    assert source.currency == "EUR"
    assert [f.message for f in source.findings if f.level == "error"] == [
        "amount has no exchange rate for the row's currency and date"
    ]
    assert source.quarantined["invoices"] == 2


@pytest.mark.parametrize(
    ("rates", "message"),
    [
        ("currency day rate\nUSD 2024-01-01 1", "columns currency, date and rate in fx.csv"),
        ("currency date rate\nUSD 2024-01-01 -1", "positive rate in each row of fx.csv, got 1"),
        ("currency date rate\nUSD 2024-01-01 1 2", "positive rate in each row of fx.csv, got 1"),
    ],
)
def test_a_broken_rate_table_is_refused(foreign, home, rates, message):
    folder = foreign(f"currency = 'EUR'\nrates = 'fx.csv'\n{TOML}", fx=rates)
    with pytest.raises(SourceError, match=message):
        check(str(folder), home=home)


PRICED = {
    "accounts": "account_id created_at\na 2024-01-01\nb 2024-01-01",
    "subscriptions": """
        subscription_id  account_id  product  mrr  started_at  currency
        s1               a           core     100  2024-02-01  USD
        s2               b           core     100  2024-02-01  eur
        s3               b           core     100  2024-02-01  -
    """,
}


def test_without_rates_money_of_another_currency_is_set_aside(company):
    source = company(PRICED, currency="EUR", limit=1.0)
    assert source.read("subscriptions")["subscription_id"].tolist() == ["s2", "s3"]
    (error,) = [finding for finding in source.findings if finding.level == "error"]
    assert error.message == "mrr has no exchange rate for the row's currency and date"


def test_the_record_of_money_without_a_rate_says_its_currency(company):
    aside = company(PRICED, currency="EUR", limit=1.0).quarantine
    with aside.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert json.loads(row["record"])["currency"] == "USD"


def test_money_of_several_currencies_is_refused_where_none_is_the_companys(company):
    with pytest.raises(SourceError, match=r"one currency in .*subscriptions, got EUR, USD.*rates"):
        company(PRICED, limit=1.0)


def test_a_currency_that_is_left_out_is_not_looked_at(company):
    left_out = {"subscriptions": {"columns": {"currency": False}}}
    assert company(PRICED, tables=left_out).counts["subscriptions"].accepted == 3


def test_money_of_one_currency_needs_no_rates(company):
    tables = PRICED | {"subscriptions": PRICED["subscriptions"].replace("eur", "USD")}
    assert company(tables).counts["subscriptions"].accepted == 3


MISTAKES = {
    "folder = '.'\ndatabase = 'sqlite:///x'": "`folder` or `database` at `database`",
    "currencies = 'EUR'": "one of folder, database, extracted_at, .* at `currencies`",
    "rates = 'fx.csv'": "`currency` beside it, the currency to convert to at `rates`",
    "folder = 'nowhere'": "a folder with the data files at `folder`",
    "extracted_at = 'soon'": "a date or time such as 2024-12-31 at `extracted_at`.*'soon'",
    "extracted_at = 7": "a date or time such as 2024-12-31 at `extracted_at`",
    "[tables.customers]": "one of accounts, .* at `tables.customers`",
    "[tables]\naccounts = 'a.csv'": "a TOML table at `tables.accounts`",
    "[tables.accounts]\npath = 'a.csv'": "one of file, sql, key, columns at `tables.accounts.path`",
    "[tables.accounts]\nfile = 7": "a text at `tables.accounts.file`",
    "[tables.accounts]\nfile = 'a.csv'\nsql = 'select 1'": "`file` or `sql` at `tables.accounts`",
    "[tables.accounts]\nkey = 'id'": "no such key, as the contract's is account_id",
    "[tables.accounts.columns]\nid = 'x'": "one of account_id, .* at `tables.accounts.columns.id`",
    "[tables.accounts.columns]\nname = 7": "a foreign column's name, .* at `tables.*name`",
    "[tables.accounts.columns]\nname = {sql = 'x', value = 1}": "only one of `column`, `sql` and",
    "[tables.accounts.columns]\nname = {constant = 'x'}": "a fixed value is written { value = ",
    "[tables.accounts.columns]\nname = {value = []}": "a text, number, boolean, date or time at",
    "[tables.accounts": "valid TOML",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_named_by_file_key_and_what_is_expected(tmp_path, mistake):
    (tmp_path / "source.toml").write_text(mistake)
    with pytest.raises(SourceError, match=MISTAKES[mistake]) as caught:
        read_mapping(tmp_path)
    assert "source.toml" in str(caught.value)


BAD_REFERENCES = {
    ('file = "customers.csv"', 'file = "clients.csv"'): "at `tables.accounts.file`, got 'clients.",
    ('account_id = "id"', 'account_id = "ident"'): (
        "at `tables.accounts.columns.account_id` .*'ident'. There are: id, company, since, size"
    ),
    ("size::int", "weight::int"): "expression at `tables.accounts.columns.tier`, got: Binder",
    ("select *, customer", "select *, client"): "readable table subscriptions, got: Binder Error",
    ("select *, customer", "select *,, customer"): "one SQL query at `tables.subscriptions.sql`",
    ("from contracts", "from contracts; drop view contracts"): "one SELECT at `tables.subscr",
    ("price::decimal(18, 4) / 12", "1) FROM contracts; SELECT (2"): "at `tables.subscriptions.c",
    ("price::decimal(18, 4) / 12", "plan::int"): "readable rows for the table subscriptions",
}


@pytest.mark.parametrize("change", BAD_REFERENCES)
def test_a_reference_that_leads_nowhere_is_named_by_its_key(foreign, home, change):
    with pytest.raises(SourceError, match=BAD_REFERENCES[change]):
        check(str(foreign(TOML.replace(*change))), home=home)


def test_a_key_that_is_no_column_is_refused(company):
    tables = {
        "accounts": "account_id created_at\na 2024-01-01",
        "subscriptions": "subscription_id account_id product mrr started_at\ns a base 1 2024-01-01",
        "trainings": "account_id completed_at\na 2024-02-01",
    }
    with pytest.raises(SourceError, match=r"at `tables\.trainings\.key` .* got 'id'"):
        company(tables, tables={"trainings": {"key": "id"}})


@pytest.mark.parametrize(
    ("said", "means"),
    [
        ("2024-12-31", datetime(2024, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001 - naive UTC
        ("'2024-12-31'", datetime(2024, 12, 31, 23, 59, 59, 999999)),  # noqa: DTZ001 - naive UTC
        ("2024-12-31T10:00:00", datetime(2024, 12, 31, 10)),  # noqa: DTZ001 - naive UTC
        ("2024-12-31T10:00:00+02:00", datetime(2024, 12, 31, 8)),  # noqa: DTZ001 - naive UTC
        ("'2024-12-31T10:00:00Z'", datetime(2024, 12, 31, 10)),  # noqa: DTZ001 - naive UTC
    ],
)
def test_the_time_of_the_extract_is_utc_and_a_date_its_end(tmp_path, said, means):
    (tmp_path / "source.toml").write_text(f"extracted_at = {said}")
    assert read_mapping(tmp_path).extracted_at == means

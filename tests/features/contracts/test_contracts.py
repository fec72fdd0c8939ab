"""The declarations say what the contract's page says."""

from features.contracts import TABLES, Type

# the contract's page, typed off by hand; * is a required column
PAGE = """
accounts: account_id* name parent_account_id tier segment industry region country time_zone
  employees csm created_at*
account_merges: from_account_id* into_account_id* merged_at*
subscriptions: subscription_id* account_id* product* plan seats mrr* billing started_at* ended_at
  renews_at term_months notice_days auto_renew cancel_requested_at end_reason
usage_events: account_id* user_id occurred_at* event* product quantity
support_tickets: ticket_id* account_id* opened_at* first_responded_at resolved_at reopened_at
  escalated_at priority category channel csat csat_at
invoices: invoice_id* account_id* issued_at* due_at* amount* paid_at
payments: payment_id* account_id* invoice_id attempted_at* amount* succeeded*
surveys: account_id* responded_at* kind* score* respondent_role
contacts: contact_id* account_id* role joined_at* left_at
projects: project_id* account_id* kind started_at* due_at completed_at
trainings: account_id* user_id course completed_at*
engagement: account_id* occurred_at* channel* action
incidents: incident_id* account_id* product severity started_at* resolved_at
outcomes: outcome_id* account_id* agreed_at* due_at achieved_at description
reviews: review_id* account_id* held_at* verdict
touches: touch_id* account_id* occurred_at* csm kind play experiment arm
"""
OVERWRITTEN = {
    ("accounts", "tier"),
    ("accounts", "segment"),
    ("accounts", "csm"),
    ("accounts", "employees"),
    ("accounts", "parent_account_id"),
    ("contacts", "role"),
    ("support_tickets", "priority"),
    ("support_tickets", "category"),
    ("subscriptions", "auto_renew"),
}


def test_the_tables_and_columns_are_those_of_the_page():
    page = {}
    for entry in PAGE.replace("\n  ", " ").strip().splitlines():
        name, columns = entry.split(":")
        page[name] = columns.split()
    assert page == {
        name: [column.name + "*" * column.required for column in table.columns]
        for name, table in TABLES.items()
    }


def test_only_accounts_and_subscriptions_are_required_tables():
    required = {name for name, table in TABLES.items() if table.required}
    assert required == {"accounts", "subscriptions"}


def test_the_overwritten_columns_are_those_of_the_page():
    declared = {(name, c.name) for name, table in TABLES.items() for c in table if c.overwritten}
    assert declared == OVERWRITTEN


def test_every_table_may_say_when_a_row_was_recorded():
    assert all(table["recorded_at"].dtype is Type.TIME for table in TABLES.values())


def test_what_a_declaration_names_is_a_column_of_its_table():
    for table in TABLES.values():
        names = {column.name for column in table}
        named = {table.first_time, *table.key}
        for column in table:
            named |= {column.ends, column.follows, column.known_at} - {None}
        assert named <= names


def test_keys_and_first_times_are_required_columns():
    for table in TABLES.values():
        assert all(table[name].required for name in (*table.key, table.first_time))


def test_only_planned_times_may_lie_after_the_extract():
    planned = {
        (name, column.name)
        for name, table in TABLES.items()
        for column in table
        if column.dtype is Type.TIME and not column.happened
    }
    assert planned == {
        ("subscriptions", "started_at"),
        ("subscriptions", "ended_at"),
        ("subscriptions", "renews_at"),
        ("invoices", "due_at"),
        ("contacts", "left_at"),
        ("projects", "started_at"),
        ("projects", "due_at"),
        ("outcomes", "due_at"),
    }


def test_numbers_have_units():
    numeric = {Type.INTEGER, Type.NUMBER, Type.MONEY}
    assert all(c.unit for table in TABLES.values() for c in table if c.dtype in numeric)

"""What `tenure validate` says."""

import json

from features.sources.report import report_json, report_text

TABLES = {
    "accounts": "account_id created_at tier\na 2024-01-01 mid",
    "subscriptions": "subscription_id account_id product mrr started_at\ns a base 1 2024-01-01",
    "usage_events": (
        "account_id occurred_at event\na 2023-06-01 x\na 2024-06-01 x\n"
        "a 2024-06-01 x\nz 2024-06-01 x"
    ),
}


def test_the_text_tells_where_every_row_went_and_why(company):
    source = company(TABLES, limit=0.25)
    text = report_text(source)
    assert "usage_events               4           2           1           1" in text
    assert "usage_events: account_id names an unknown account, 1 rows (25.0%)" in text
    assert "occurred_at lies before the account's first subscription, 1 rows (50.0%)" in text
    assert "tier is overwritten without versions" in text
    assert str(source.quarantine) in text


def test_the_text_says_that_the_time_of_the_extract_is_a_guess(company):
    text = report_text(company(TABLES, limit=0.25, extracted_at=None))
    assert "extracted at 2024-06-02 00:00 UTC (a guess)" in text


def test_the_json_holds_the_same_figures(company):
    source = company(TABLES, limit=0.25)
    report = json.loads(report_json(source))
    assert report["tables"]["usage_events"] == {
        "read": 4,
        "accepted": 2,
        "quarantined": 1,
        "collapsed": 1,
        "erased": 0,
        "columns": ["account_id", "occurred_at", "event", "quantity"],
    }
    assert report["fingerprint"] == source.fingerprint
    assert {finding["level"] for finding in report["findings"]} == {"error", "warning", "note"}

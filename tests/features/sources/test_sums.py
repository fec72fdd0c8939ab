"""No row is lost: accepted, set aside and collapsed rows are the rows that were read."""

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from features.home import Home
from features.sources.check import check

HEADING = ("ticket_id", "account_id", "opened_at", "resolved_at")
ROWS = st.lists(
    st.tuples(
        st.sampled_from(["t1", "t2", "t3", ""]),
        st.sampled_from(["a", "a", "a", "z"]),
        st.sampled_from(["2024-03-01", "2024-03-02", "never"]),
        st.sampled_from(["", "2024-03-01", "2024-03-03", "2026-03-01"]),
    ),
    max_size=12,
)


def sums(rows):
    """Give (accepted, set aside, collapsed) by hand."""
    good = [
        (ticket, account, opened, resolved)
        for ticket, account, opened, resolved in rows
        if ticket
        and account == "a"
        and opened != "never"
        and (not resolved or opened <= resolved <= "2025-01-01")
    ]
    different = set(good)
    keys = [ticket for ticket, *_ in different]
    accepted = {row for row in different if keys.count(row[0]) == 1}
    kept = [row for row in good if row in accepted]
    return len(accepted), len(rows) - len(kept), len(kept) - len(accepted)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(rows=ROWS)
def test_every_row_is_accepted_set_aside_or_a_copy(rows):
    with TemporaryDirectory() as folder:
        source = Path(folder) / "company"
        source.mkdir()
        (source / "source.toml").write_text("extracted_at = 2025-01-01")
        (source / "accounts.csv").write_text("account_id,created_at\na,2024-01-01\n")
        (source / "subscriptions.csv").write_text(
            "subscription_id,account_id,product,mrr,started_at\ns,a,base,1,2024-01-01\n"
        )
        with (source / "support_tickets.csv").open("w", newline="") as file:
            csv.writer(file).writerows([HEADING, *rows])
        checked = check(str(source), home=Home(Path(folder) / "home"), limit=1.0)
        counts = checked.counts["support_tickets"]
        aside = set()
        if checked.quarantine:
            with checked.quarantine.open(newline="") as file:
                aside = {line["row"] for line in csv.DictReader(file)}
        written = len(checked.read("support_tickets"))
    assert (counts.accepted, counts.quarantined, counts.collapsed) == sums(rows)
    assert counts.read == len(rows) == counts.accepted + counts.quarantined + counts.collapsed
    assert written == counts.accepted
    assert len(aside) == counts.quarantined

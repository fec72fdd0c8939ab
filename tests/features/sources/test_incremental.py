"""A log is read on from where the last check stopped, and the result is that of a whole reading."""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from features.build import feature_table
from features.catalog import available
from features.checked import MANIFEST
from features.daily import ROLLED_UP
from features.errors import SourceError
from features.home import Home
from features.sources.check import check
from features.spine import account_states

START = datetime(2024, 3, 1)  # noqa: DTZ001 - naive UTC by contract
ACCOUNTS = "account_id,created_at\na,2024-01-01\nb,2024-01-01\n"
SUBSCRIPTIONS = "subscription_id,account_id,product,mrr,started_at\ns,a,base,1,2024-03-10\n"


class Extract:
    """A source whose log grows part by part, checked each time beside a whole reading of it."""

    def __init__(self, folder):
        self.folder, self.home = folder / "source", Home(folder / "home")
        self.aside = folder
        (self.folder / "usage_events").mkdir(parents=True)
        self.write("accounts.csv", ACCOUNTS)
        self.write("subscriptions.csv", SUBSCRIPTIONS)
        self.extracted("2024-06-01")

    def write(self, name, text):
        (self.folder / name).write_text(text)

    def extracted(self, day, more=""):
        said = f'extracted_at = "{day}"\n' if day else ""
        self.write("source.toml", said + more)

    def part(self, name, frame):
        self.file(self.folder / "usage_events" / f"{name}.parquet", frame)

    def file(self, file, frame):
        """Write a file that seems to lie there for a while."""
        file.unlink(missing_ok=True)
        frame.write_parquet(file)
        settled = file.stat().st_mtime_ns - 10**10
        os.utime(file, ns=(settled, settled))

    def check(self):
        return check(str(self.folder), home=self.home, limit=1.0)

    def whole(self):
        home = Home(self.aside / "whole")
        shutil.rmtree(home.root, ignore_errors=True)
        if self.home.erasure.exists():  # a home has a key of its own, by which persons are called
            shutil.copytree(self.home.erasure, home.erasure)
        return check(str(self.folder), home=home, limit=1.0)

    def agreed(self):
        """Check, hold the result against that of a whole reading, and give it."""
        source, whole = self.check(), self.whole()
        assert told(source) == told(whole)
        return source


def told(source):
    quarantine = source.quarantine.read_text() if source.quarantine else ""
    parts = {part.name: part.read_bytes() for part in source.parts("usage_events")}
    ledger = source.ledgers["usage_events"]
    findings = sorted(str(finding) for finding in source.findings)
    return (
        source.fingerprint,
        parts,
        rolled_up_of(source),
        source.counts,
        quarantine,
        ledger.parts,
        ledger.sources,
        findings,
    )


def rolled_up_of(source):
    """Give the digests of what is rolled up of the log."""
    views = tuple(f"usage_events.{view.name}." for view in ROLLED_UP)
    return {name: file.sha256 for name, file in source.files.items() if name.startswith(views)}


@pytest.fixture
def extract(tmp_path):
    return Extract(tmp_path)


def events(days, account="a", **columns):
    rows = len(days)
    return pl.DataFrame(
        {
            "account_id": [account] * rows,
            "occurred_at": [START + timedelta(days=day) for day in days],
            "event": ["open"] * rows,
            **{name: [value] * rows for name, value in columns.items()},
        }
    )


def taken_over(source, before):
    """Give the weeks whose part, and what is rolled up of it, are the files of the check before."""
    files = ["usage_events/", *rolled_up_of(source)]
    same = {
        name: (source.folder / name).stat().st_ino == (before.folder / name).stat().st_ino
        for name in source.files
        if name.startswith(tuple(files)) and (before.folder / name).is_file()
    }
    mondays = {Path(name).stem for name in same}
    return {day for day in mondays if all(same[name] for name in same if day in name)}


def test_a_new_part_is_merged_into_the_weeks_it_touches_and_the_others_stay(extract):
    extract.part("1", events([0, 4, 11, 18]))
    first = extract.agreed()
    extract.part("2", events([12, 19, 25]))
    second = extract.agreed()
    assert taken_over(second, first) == {"2024-02-26", "2024-03-04"}


def test_nothing_new_reads_nothing_and_gives_the_same(extract):
    extract.part("1", events([0, 8]))
    first, said = extract.check(), []
    again = check(str(extract.folder), home=extract.home, progress=said.append)
    assert again == first
    assert "checking usage_events: 0 of 2 rows" in said


def test_a_late_event_changes_its_own_week_alone(extract):
    extract.part("1", events([0, 8, 16], recorded_at=None).cast({"recorded_at": pl.Datetime("us")}))
    first = extract.agreed()
    late = events([9], recorded_at=START + timedelta(days=60))
    extract.part("2", late)
    second = extract.agreed()
    assert taken_over(second, first) == {"2024-02-26", "2024-03-11"}


def test_what_is_rolled_up_must_be_as_it_was_written(extract):
    extract.part("1", events([0, 8]))
    source = extract.check()
    name = min(rolled_up_of(source))
    content = (source.folder / name).read_bytes()
    (source.folder / name).write_bytes(bytes([*content[:-9], content[-9] ^ 1, *content[-8:]]))
    extract.part("2", events([16]))
    with pytest.raises(SourceError, match=f"Expected {name} with the SHA-256"):
        extract.check()


def test_what_was_rolled_up_in_another_way_is_rolled_up_anew(extract):
    extract.part("1", events([0, 8], user_id="u"))
    before = extract.check()
    manifest = before.folder / MANIFEST
    for folder in {name.split("/")[0] for name in rolled_up_of(before)}:
        other = folder.rsplit(".", 1)[0] + ".0"
        (before.folder / folder).rename(before.folder / other)
        manifest.write_text(manifest.read_text().replace(folder, other))
    extract.part("2", events([16], user_id="u"))
    assert len(rolled_up_of(extract.agreed())) == 3 * 4


def features_of(source, day):
    """Give the features of use at a date, of the account a."""
    chosen = [feature for feature in available(source) if feature.group == "usage"]
    table = feature_table(source, account_states(source, [day]), features=chosen)
    return table.set_index("account_id").loc["a"].astype(str).to_dict()


def test_a_late_event_changes_only_the_windows_it_may(extract):
    when = {"recorded_at": START + timedelta(days=2)}
    extract.part("1", events([0, 8, 40], **when))
    first = extract.agreed()
    extract.part("2", events([10], recorded_at=START + timedelta(days=50)))
    second = extract.agreed()
    digests = [
        {name: f.sha256 for name, f in s.files.items() if "/" in name} for s in (first, second)
    ]
    changed = {n for n in digests[1] if digests[1][n] != digests[0].get(n)}
    assert "usage_events/2024-03-11.parquet" in changed
    assert {name.split("/")[1] for name in changed} == {"2024-03-11.parquet"}
    known = (START + timedelta(days=50)).date()
    assert features_of(second, known) == features_of(first, known)
    then, now = (features_of(source, known + timedelta(days=1)) for source in (first, second))
    changed = {name for name in now if now[name] != then[name]}
    assert {"usage__events__90d", "usage__events__365d"} <= changed
    assert {
        "usage__events__7d",
        "usage__events__28d",
        "usage__days_since_last_event",
    } & changed == set()


def test_accounts_that_merge_give_the_features_of_a_whole_reading(extract):
    extract.part("1", pl.concat([events([0, 8, 20]), events([1, 9], account="b")]))
    extract.check()
    merges = "from_account_id,into_account_id,merged_at\nb,a,2024-03-20\n"
    extract.write("account_merges.csv", merges)
    extract.part("2", events([25, 26], account="b"))
    day = START.date() + timedelta(days=40)
    found = features_of(extract.agreed(), day)
    assert found == features_of(extract.whole(), day)
    assert found["usage__events__90d"] == "7.0"


def test_rows_of_an_account_that_is_new_in_the_crm_come_out_of_quarantine(extract):
    extract.part("1", pl.concat([events([0, 1]), events([2, 3], account="c")]))
    assert extract.agreed().quarantined["usage_events"] == 2
    extract.write("accounts.csv", ACCOUNTS + "c,2024-02-01\n")
    source = extract.agreed()
    assert source.counts["usage_events"].accepted == 4
    assert source.quarantine is None


def test_rows_of_an_account_that_vanished_go_into_quarantine(extract):
    extract.part("1", pl.concat([events([0, 1]), events([2, 3], account="b")]))
    extract.agreed()
    extract.write("accounts.csv", "account_id,created_at\na,2024-01-01\n")
    assert extract.agreed().quarantined["usage_events"] == 2


def test_a_row_set_aside_stays_its_own_files_beside_an_empty_one(extract):
    extract.part("0", events([]))
    extract.part("2", events([0, 1], account="unknown"))
    extract.agreed()
    extract.part("1", events([2], account="unknown"))
    assert extract.agreed().quarantined["usage_events"] == 3


def test_an_account_that_was_merged_away_is_still_known(extract):
    extract.part("1", events([0, 1], account="b"))
    first = extract.agreed()
    extract.write("accounts.csv", "account_id,created_at\na,2024-01-01\n")
    merges = "from_account_id,into_account_id,merged_at\nb,a,2024-05-01\n"
    extract.write("account_merges.csv", merges)
    second = extract.agreed()
    assert second.counts["usage_events"].accepted == 2
    assert len(taken_over(second, first)) == 1


@pytest.mark.parametrize("days", [("2024-03-05", "2024-06-01"), ("2024-06-01", "2024-03-05")])
def test_events_after_the_extract_are_judged_by_each_extract(extract, days):
    extract.part("1", events([0, 3, 6, 9]))
    for day, aside in zip(days, sorted((0, 2), reverse=days[0] < days[1]), strict=True):
        extract.extracted(day)
        assert extract.agreed().quarantined["usage_events"] == aside


def test_the_guess_knows_the_days_that_were_read_before(extract):
    extract.extracted(None)
    extract.part("1", events([40]))
    extract.agreed()
    extract.part("2", events([3]))
    assert extract.agreed().extracted_at == START + timedelta(days=41)


def test_early_rows_are_counted_anew_when_the_first_subscription_moves(extract):
    extract.part("1", events([0, 8, 16, 24]))
    extract.agreed()
    extract.write("subscriptions.csv", SUBSCRIPTIONS.replace("2024-03-10", "2024-03-20"))
    extract.part("2", events([1]))
    early = [f.rows for f in extract.agreed().findings if f.column == "occurred_at"]
    assert early == [4]


WHOLE_AGAIN = {
    "a part that changed": lambda extract: extract.part("1", events([0, 7, 14])),
    "a part that vanished": lambda extract: (extract.folder / "usage_events/1.parquet").unlink(),
    "a column that is new": lambda extract: extract.part("3", events([3], user_id="u")),
    "another mapping": lambda extract: extract.extracted(
        "2024-06-01", '[tables.usage_events.columns]\nevent = { sql = "upper(event)" }'
    ),
}


@pytest.mark.parametrize("change", WHOLE_AGAIN)
def test_all_is_read_again_after(extract, change):
    extract.part("1", events([0, 8]))
    extract.part("2", events([16]))
    first = extract.agreed()
    WHOLE_AGAIN[change](extract)
    assert taken_over(extract.agreed(), first) == set()


def test_a_part_that_was_only_touched_is_not_read_again(extract):
    extract.part("1", events([0, 8]))
    first = extract.check()
    os.utime(extract.folder / "usage_events/1.parquet")
    assert len(taken_over(extract.check(), first)) == 2


def test_a_copied_part_adds_copies_and_no_rows(extract):
    extract.part("1", events([0, 8]))
    extract.check()
    extract.part("2", events([0, 8]))
    counts = extract.agreed().counts["usage_events"]
    assert (counts.read, counts.accepted, counts.collapsed) == (4, 2, 2)


def test_ids_that_the_contract_does_not_know_tell_new_events_from_old_ones(extract):
    extract.part("1", events([0, 0], id=1))
    extract.agreed()
    extract.part("2", pl.concat([events([0], id=1), events([0], id=2)]))
    assert extract.agreed().counts["usage_events"].accepted == 2


def test_a_key_of_an_old_row_under_a_new_one_sets_both_aside(extract):
    extract.extracted("2024-06-01", '[tables.usage_events]\nkey = "id"')
    extract.part("1", pl.concat([events([0], id=1), events([8], id=2)]))
    extract.agreed()
    extract.part("2", pl.concat([events([9], id=2), events([0], id=1), events([9], id=3)]))
    assert extract.agreed().quarantined["usage_events"] == 2
    extract.part("3", events([20], id=2))
    assert extract.agreed().quarantined["usage_events"] == 3


def test_a_log_in_one_file_is_read_again_when_it_changed(extract):
    shutil.rmtree(extract.folder / "usage_events")
    for days in ([0], [0, 1], [0, 1, 9]):
        extract.file(extract.folder / "usage_events.parquet", events(days))
        assert extract.agreed().counts["usage_events"].accepted == len(days)


def test_a_damaged_part_of_the_check_before_is_named_with_its_cure(extract):
    extract.part("1", events([0, 8]))
    part = extract.check().parts("usage_events")[0]
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    with pytest.raises(
        SourceError, match=rf"usage_events/{part.name}.*Delete the folder and check"
    ):
        extract.check()


ROWS = st.builds(
    dict,
    account_id=st.sampled_from(["a", "a", "b", "c", None]),
    occurred_at=st.integers(-9, 99).map(lambda day: START + timedelta(days=day, hours=day % 5)),
    event=st.sampled_from(["open", "save", None]),
    quantity=st.sampled_from([1.0, -2.5, None, float("nan")]),
    recorded_at=st.sampled_from([None, START + timedelta(days=50)]),
)
TYPES = {
    "account_id": pl.String,
    "occurred_at": pl.Datetime("us"),
    "event": pl.String,
    "quantity": pl.Float64,
    "recorded_at": pl.Datetime("us"),
}
STEPS = st.lists(
    st.tuples(
        st.lists(ROWS, max_size=12),
        st.sampled_from([ACCOUNTS, ACCOUNTS + "c,2024-02-01\n"]),
        st.sampled_from(["2024-04-10", "2024-05-20", "2024-06-01"]),
        st.sampled_from(["2024-03-10", "2024-04-01"]),
    ),
    min_size=2,
    max_size=4,
)


@settings(
    max_examples=int(os.environ.get("INCREMENTAL_DRAWS", "6")),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(steps=STEPS, order=st.permutations(range(4)))
def test_any_history_of_checks_gives_what_one_whole_reading_gives(tmp_path_factory, steps, order):
    extract = Extract(tmp_path_factory.mktemp("drawn"))
    for number, (rows, accounts, extracted_at, started_at) in enumerate(steps):
        extract.part(f"p{order[number]}", pl.DataFrame(rows, schema=TYPES))
        extract.write("accounts.csv", accounts)
        extract.write("subscriptions.csv", SUBSCRIPTIONS.replace("2024-03-10", started_at))
        extract.extracted(extracted_at)
        extract.agreed()

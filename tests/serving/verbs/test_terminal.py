"""The work list for a terminal: what each line says."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from features.home import Home
from models.bundle import Bundle
from serving.publishing.publish import Scored, publish
from serving.publishing.release import Released
from serving.store.database import Store
from serving.verbs.terminal import records, text


@pytest.fixture
def released(
    bundles: dict[str, Bundle], scored_company: Callable[..., Scored], store: Store, home: Home
) -> Released:
    scored = scored_company(bundles)
    at = scored.scores["as_of"].iloc[0].to_pydatetime() + timedelta(hours=2)
    publication = publish(store, home, scored, at)
    return Released(scored.scores, scored.listed, scored.renewals, publication)


def test_the_first_accounts_come_with_their_renewals(released: Released) -> None:
    found = {row["account_id"]: row for row in records(released, 5)}
    assert len(found) == 5
    acme, bolt, corn = (found[name] for name in ("acme", "bolt", "corn"))
    assert (acme["renews_at"], acme["notice_deadline"]) == ("2026-04-01", "2026-03-17")
    assert 0 < acme["renewal_probability"] < 1
    assert (bolt["renews_at"], bolt["notice_deadline"], bolt["renewal_probability"]) == (None,) * 3
    assert (corn["renews_at"], corn["renewal_probability"]) == ("2027-01-01", None)


def test_a_line_shows_both_the_date_and_the_probability(released: Released) -> None:
    lines = text(released, 5, 100).splitlines()
    (acme,) = (line for line in lines if "Acme Ltd" in line)
    renews = next(row for row in records(released, 5) if row["account_id"] == "acme")
    assert acme.split()[3:5] == ["2026-04-01", f"{renews['renewal_probability']:.0%}"]
    assert max(map(len, lines)) <= 100

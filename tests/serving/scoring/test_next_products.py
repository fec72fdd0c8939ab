"""The next product: from what accounts pay for to what the calls say."""

from collections.abc import Callable
from dataclasses import replace

import httpx
import pytest

from features.checked import CheckedSource
from features.spine import account_states
from models.bundle import Bundle
from models.next_product import NextProducts
from serving.scoring.growth import growth_sentence
from serving.scoring.next_products import COLUMNS, next_products

Company = Callable[..., CheckedSource]

SUBSCRIPTIONS = """
    subscription_id account_id product mrr started_at       ended_at
    s1              core-only  core    100 2024-01-01T00:00 -
    s2              has-maps   core    100 2024-01-01T00:00 -
    s3              has-maps   maps    10  2024-04-01T00:00 -
    s4              has-all    core    100 2024-01-01T00:00 -
    s5              has-all    maps    10  2024-01-01T00:00 -
    s6              has-all    pay     10  2024-01-01T00:00 -
    s7              gone       core    100 2024-01-01T00:00 2024-02-01T00:00
"""
ACCOUNTS = """
    account_id  created_at
    core-only   2023-01-01
    has-maps    2023-01-01
    has-all     2023-01-01
    gone        2023-01-01
"""
LEARNED = NextProducts(
    products=("core", "maps", "pay"),
    bought={"maps": 30, "pay": 10},
    after={("core",): {"maps": 9, "pay": 3}},
)


@pytest.fixture
def source(company: Company) -> CheckedSource:
    tables = {"accounts": ACCOUNTS, "subscriptions": SUBSCRIPTIONS}
    return company(tables, extracted_at="2024-06-01T00:00")


@pytest.fixture
def expansion(bundles: dict[str, Bundle]) -> dict[str, Bundle]:
    return {"expansion": replace(bundles["expansion"], next_products=LEARNED)}


def test_each_active_account_gets_the_likeliest_of_what_it_has_not(
    source: CheckedSource, expansion: dict[str, Bundle]
) -> None:
    found = next_products(expansion, source, account_states(source, ["2024-06-01"]))
    assert found[["account_id", "product"]].to_numpy().tolist() == [
        ["core-only", "maps"],
        ["has-maps", "pay"],
    ]
    assert found["share"].tolist() == pytest.approx([(9 + 5 * 0.75) / 17, 1.0])
    assert found["text"][0] == "Of 12 purchases by customers with core, 9 of maps"


def test_it_is_told_of_what_was_known_at_the_date(
    source: CheckedSource, expansion: dict[str, Bundle]
) -> None:
    before = next_products(expansion, source, account_states(source, ["2024-03-01"]))
    assert before["product"].tolist() == ["maps", "maps"]


@pytest.mark.parametrize("named", ["churn", "expansion"])
def test_without_a_list_of_products_none_is_named(
    source: CheckedSource, bundles: dict[str, Bundle], named: str
) -> None:
    states = account_states(source, ["2024-06-01"])
    found = next_products({named: bundles[named]}, source, states)
    assert found.empty
    assert tuple(found.columns) == COLUMNS


def test_the_account_says_in_a_sentence_what_it_is_expected_to_add(client: httpx.Client) -> None:
    answer = client.get("/v1/accounts/bolt").json()
    (expansion,) = (each for each in answer["models"] if each["model"] == "expansion")
    probability = expansion["horizons"][1]["probability"]
    # bolt pays 5,000 and adds a quarter of it when it grows
    assert answer["growth"] == (
        f"Expected to add EUR {probability * 1250:,.0f} a month within 90 days: it grows with a "
        f"probability of {probability:.0%}, by EUR 1,250 a month if it does"
    )
    assert client.get("/v1/accounts/quit").json()["growth"] is None


@pytest.mark.parametrize(
    ("probability", "expected"), [(None, None), (0.0, 0.0), (0.2, None), (0.2, float("nan"))]
)
def test_nothing_is_said_of_growth_without_an_amount(
    probability: float | None, expected: float | None
) -> None:
    score = {"probability": probability, "expected_added_mrr": expected, "horizon_days": 90}
    assert growth_sentence(score, "EUR") is None
    assert growth_sentence(None, "EUR") is None


def test_both_calls_tell_it_and_null_where_there_is_none(client: httpx.Client) -> None:
    asked = {"account_ids": ["acme", "bolt"]}
    acme, bolt = client.post("/v1/scores", json=asked).json()["accounts"]
    assert acme["next_product"] == {
        "product": "maps",
        "share": 0.75,
        "text": "Of 12 purchases by customers with core, 9 of maps",
    }
    assert bolt["next_product"] is None
    assert client.get("/v1/accounts/acme").json()["next_product"] == acme["next_product"]
    assert client.get("/v1/accounts/bolt").json()["next_product"] is None

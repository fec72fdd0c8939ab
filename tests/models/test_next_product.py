"""The next product: shares and sentences from counts, by hand."""

import json

import pytest

from models.next_product import NextProducts, next_products_from_json

LEARNED = NextProducts(
    products=("core", "maps", "pay"),
    bought={"maps": 30, "pay": 10},
    after={("core",): {"maps": 3, "pay": 12}, ("core", "maps"): {"pay": 1}},
)


def told(*held: str) -> list[tuple[str, float]]:
    return [(each.product, each.share) for each in LEARNED.ranked(held)]


def test_shares_are_those_of_customers_alike_drawn_to_everybodys() -> None:
    # five purchases count as everybody's 30 to 10: 3.75 and 1.25
    pay, maps = (12 + 1.25) / 20, (3 + 3.75) / 20
    assert told("core") == [("pay", pytest.approx(pay)), ("maps", pytest.approx(maps))]
    assert pay + maps == pytest.approx(1)


def test_without_anybody_alike_they_are_everybodys() -> None:
    assert told() == [("maps", pytest.approx(0.75)), ("pay", pytest.approx(0.25))]


def test_what_an_account_has_is_not_named_again() -> None:
    assert told("core", "maps") == [("pay", pytest.approx(1.0))]
    assert told("core", "maps", "pay") == []


def test_a_product_that_nobody_was_seen_with_changes_nothing() -> None:
    assert told("core", "brand new") == told("core")


def test_the_most_popular_are_named_whatever_those_alike_bought() -> None:
    assert LEARNED.popular(["core"]) == ("maps", "pay")
    assert LEARNED.popular(["core", "maps"]) == ("pay",)


@pytest.mark.parametrize(
    ("held", "text"),
    [
        (("core",), "Of 15 purchases by customers with core, 12 of pay"),
        (("core", "maps"), "Of 1 purchase by customers with core and maps, 1 of pay"),
        (
            ("maps",),
            (
                "None of the customers with maps has bought another product yet; "
                "of 10 purchases by others, 10 of pay"
            ),
        ),
        (
            (),
            (
                "None of the customers with no known product has bought another product yet; "
                "of 40 purchases by others, 30 of maps"
            ),
        ),
    ],
)
def test_it_says_on_which_purchases_it_rests(held: tuple[str, ...], text: str) -> None:
    assert LEARNED.ranked(held)[0].text == text


def test_nothing_is_named_where_nobody_ever_bought() -> None:
    assert NextProducts(("core", "maps"), {}, {}).ranked(["core"]) == ()


@pytest.mark.parametrize("learned", [LEARNED, NextProducts((), {}, {})])
def test_it_comes_back_from_json(learned: NextProducts) -> None:
    assert next_products_from_json(json.loads(json.dumps(learned.to_json()))) == learned


def test_there_is_none_in_a_bundle_of_before() -> None:
    assert next_products_from_json(None) is None

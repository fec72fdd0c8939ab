"""How figures are written for people."""

import pytest

from serving.pages.render import code, money, percent


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.344, "34 %"), (0.0, "0 %"), (0.004, "< 1 %"), (0.996, "> 99 %"), (None, "unknown")],
)
def test_a_probability_is_written_for_people(share: float | None, text: str) -> None:
    assert percent(share) == text


@pytest.mark.parametrize(
    ("amount", "text"), [(12345.6, "EUR\u00a012,346"), (0.0, "EUR\u00a00"), (None, "unknown")]
)
def test_money_is_written_for_people(amount: float | None, text: str) -> None:
    assert money(amount, "EUR") == text


def test_what_stands_between_backticks_is_shown_as_code_and_escaped() -> None:
    assert code("Run `tenure <score>` & go") == "Run <code>tenure &lt;score&gt;</code> &amp; go"

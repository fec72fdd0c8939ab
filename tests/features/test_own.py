"""Features of one's own: files that are harvested, and what is said of those that are refused."""

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from features.built import built
from features.checked import CheckedSource
from features.errors import FeatureError
from features.home import Home
from features.own.harvest import Own, demand_passed, harvest, keep_passed

HEAD = """
import narwhals as nw
from features.declare import Distinct, Facts, Feature, Formula, Text, Total, Unit, View, over
from features.families.support import SPELLS

def calls(name="calls", recipe=Total(Facts("support_tickets", at="opened_at")), group="ours",
          unit=Unit.TICKETS, text="{value} calls", **more):
    return Feature(group, name, recipe, unit, "calls", "Calls.", Text(text), **more)

"""
COMPANY = {
    "accounts": """
        account_id  created_at
        a           2024-01-01
    """,
    "subscriptions": """
        subscription_id account_id product mrr started_at
        s1              a          base    100 2024-02-01
    """,
    "support_tickets": """
        ticket_id account_id opened_at
        t1        a          2024-03-01
        t2        a          2024-03-02
    """,
}


@pytest.fixture
def written(tmp_path: Path) -> Callable[..., Path]:
    def write(text: str, name: str = "our_features.py") -> Path:
        (tmp_path / name).write_text(HEAD + text)
        return tmp_path / name

    return write


def test_without_files_there_are_none() -> None:
    assert harvest([]) == Own()


def test_features_come_in_the_order_of_files_and_declarations(written) -> None:
    first = written("FEATURES = (calls('b'), *over((28, 7), calls('a')))")
    second = written("FEATURES = [calls('c')]", "more.py")
    columns = [feature.column for feature in harvest([first, second]).features]
    assert columns == ["ours__b", "ours__a__28d", "ours__a__7d", "ours__c"]


def test_reading_a_file_leaves_nothing_beside_it(written) -> None:
    file = written("FEATURES = (calls(),)")
    harvest([file])
    assert list(file.parent.iterdir()) == [file]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("FEATURES = (calls()", "Expected Python in .*our_features.py, got a fault in line 10"),
        ("1 / 0", "got ZeroDivisionError in line 10"),
        ("import our_other_module", "ModuleNotFoundError in line 10.*installed packages only"),
        ("exit()", "got SystemExit"),
        ("print('hello')\nFEATURES = (calls(),)", "it prints 'hello'"),
        ("FEATURE = (calls(),)", "Expected a tuple FEATURES .*, got none"),
        ("FEATURES = ()", "Expected a tuple FEATURES"),
        ("FEATURES = (over((7,), calls()),)", r"place 1 of FEATURES .*, got a tuple. Write \*over"),
        ("FEATURES = (calls(), 'calls')", "place 2 of FEATURES .*, got a str"),
        ("FEATURES = (calls('Calls'),)", "Use small letters"),
        ("FEATURES = (calls('a__b'),)", "Use small letters"),
        ("FEATURES = (calls('a b', group='support'),)", "Use small letters"),
        ("FEATURES = (calls('open_tickets', group='support'),)", "which Tenure declares already"),
        ("FEATURES = (calls(), calls())", "ours__calls, which .*our_features.py declares already"),
        ("FEATURES = (calls(unit='tickets'),)", "Expected unit of ours__calls"),
        ("FEATURES = calls(risk='upwards')", "risk of ours__calls .*'down' or None, got 'upwards'"),
        ("FEATURES = over((-5,), calls())", "window_days of ours__calls .*from 1 on, got -5"),
        ("FEATURES = calls(window_days=0)", "window_days of ours__calls .*from 1 on, got 0"),
        ("FEATURES = calls(window_days='7')", "window_days of ours__calls .*, got '7'"),
        (
            "FEATURES = calls(recipe=Total(Facts('trainings', at='completed_at'), lag_days=-1))",
            "lag_days of ours__calls .*our_features.py to be a whole number from 0 on, got -1",
        ),
        ("FEATURES = (calls(recipe=Formula(('ours__x',), abs)),)", "got ours__x, which nobody"),
        ("FEATURES = (calls(text='{ours__x} calls'),)", "got ours__x, which nobody"),
        ("FEATURES = (calls(recipe=Total(Facts('calls', at='x'))),)", "got 'calls'. The tables"),
        (
            "FEATURES = (calls(recipe=Distinct(Facts('support_tickets', at='opened_at'), 'x')),)",
            "Expected columns of support_tickets .*, got 'x'",
        ),
        (
            "FEATURES = calls(recipe=Total(Facts('accounts', 'created_at', uses=('account_id',))))",
            "columns of accounts besides account_id .*stands beside every row .*out of `uses`",
        ),
        (
            "FEATURES = calls(recipe=Total(Facts(View('spells', SPELLS.table, (), len), 'x')))",
            "the view spells over support_tickets to be one and the same",
        ),
    ],
)
def test_a_file_that_breaks_a_rule_is_refused_in_one_sentence_and_a_cure(
    written, text: str, said: str
) -> None:
    with pytest.raises(FeatureError, match=said):
        harvest([written(text)])


def test_a_single_feature_needs_no_tuple(written) -> None:
    assert [feature.column for feature in harvest([written("FEATURES = calls()")]).features] == [
        "ours__calls"
    ]


def test_our_own_views_may_be_used(written) -> None:
    text = "FEATURES = (calls(recipe=Total(Facts(SPELLS, at='spell_from', until='spell_to'))),)"
    assert harvest([written(text)]).features[0].column == "ours__calls"


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FeatureError, match=r"nowhere.py, got: No such file.*relative to that file"):
        harvest([tmp_path / "nowhere.py"])


def test_they_are_built_beside_ours(
    written, company: Callable[..., CheckedSource], home: Home
) -> None:
    own = harvest([written("FEATURES = (*over((28,), calls()),)")])
    made = built(company(COMPANY), [date(2024, 3, 10)], home=home, own=own)
    assert made.table["ours__calls__28d"].tolist() == [2.0]
    assert made.table["support__tickets_opened__28d"].tolist() == [2.0]
    assert made.features[-1].column == "ours__calls__28d"


def test_a_formula_may_read_ours_and_ones_own(
    written, company: Callable[..., CheckedSource], home: Home
) -> None:
    text = """
def twice(own, ours):
    return own + ours
FEATURES = (calls("both", Formula(("ours__calls", "support__tickets_opened__28d"), twice)), calls())
"""
    own = harvest([written(text)])
    made = built(company(COMPANY), [date(2024, 3, 10)], home=home, own=own)
    assert made.table["ours__both"].tolist() == [4.0]


def test_a_changed_function_is_built_anew_though_no_declaration_changed(
    written, company: Callable[..., CheckedSource], home: Home
) -> None:
    text = """
def size():
    return 1
def weighed(rows):
    return rows.with_columns(weight=nw.lit(size(), nw.Int64))
V = View("weighed", "support_tickets", ("opened_at",), weighed)
FEATURES = (calls(recipe=Total(Facts(V, "opened_at", uses=("weight",)), nw.col("weight"), per=1)),)
"""
    source, dates = company(COMPANY), [date(2024, 3, 10)]
    before = built(source, dates, home=home, own=harvest([written(text)]))
    file = written(text.replace("return 1", "return 5"))
    after = built(source, dates, home=home, own=harvest([file]))
    assert before.table["ours__calls"].tolist() == [2.0]
    assert after.table["ours__calls"].tolist() == [10.0]


def test_models_learn_only_from_files_that_passed_as_they_stand(written, home: Home) -> None:
    demand_passed(Own(), home)
    own = harvest([written("FEATURES = (calls(),)")])
    with pytest.raises(FeatureError, match="--check"):
        demand_passed(own, home)
    keep_passed(own, home)
    demand_passed(own, home)
    with pytest.raises(FeatureError, match="--check"):
        demand_passed(harvest([written("FEATURES = (calls(), )")]), home)

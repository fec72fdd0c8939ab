"""A file of plays and triggers is read whole, or refused with its line and a cure."""

import tomllib
from pathlib import Path

import pytest

from features.errors import PlaybookError
from models.families import FAMILIES
from serving.playbooks.covered import answered
from serving.playbooks.lines import lines_of
from serving.playbooks.play import QUESTIONS, TIERS
from serving.playbooks.read import DEFAULT, read_playbook

CALL = """
[[play]]
id = "call"
name = "Call"
question = "churn"
steps = ["Call them."]
run_by = "person"
owner = "csm"
"""
GROW = CALL.replace("call", "grow").replace("churn", "expansion")
TRIGGER = """
[[trigger]]
id = "overdue"
name = "Overdue"
when = "billing__days_overdue >= 30"
tell = ["csm"]
every_days = 30
"""
WHOLE = CALL + GROW + TRIGGER


def written(folder: Path, text: str) -> Path:
    file = folder / "playbooks.toml"
    file.write_bytes(text.encode())
    return file


def refused(folder: Path, text: str) -> str:
    with pytest.raises(PlaybookError) as found:
        read_playbook(written(folder, text))
    return str(found.value).replace(str(folder), "")


# The default


def test_the_default_has_a_play_for_each_family_of_each_tier_and_question() -> None:
    playbook = read_playbook()
    found = list(answered(playbook.plays, ()))
    assert {(each.question, each.tier, each.family) for each in found} == {
        (question, tier, family)
        for question in QUESTIONS
        for tier in (*TIERS, "unknown")
        for family in (*FAMILIES, "none")
    }
    assert all(each.play for each in found)


def test_by_default_mail_runs_all_plays_of_the_tech_tier_and_none_of_the_others() -> None:
    ran = {
        (each.tier == "tech", each.play.run_by)
        for each in answered(read_playbook().plays, ())
        if each.play
    }
    assert ran == {(True, "mail"), (False, "person")}


def test_by_default_each_family_has_a_play_of_its_own_for_those_who_are_called() -> None:
    playbook = read_playbook()
    fallback = {play.id for play in playbook.plays if not play.families}
    plays = {family: playbook.play_for("churn", family, "high", 40).id for family in FAMILIES}
    assert not fallback & {*plays.values()}
    assert len({*plays.values()}) == len(FAMILIES)


# What is wrong


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ('"call"', '"Call me"', "line 3, got 'Call me'"),
        ('name = "Call"', "name = 7", "for name of a [[play]] in /playbooks.toml, line 4, got 7"),
        ('name = "Call"', 'name = "\\u001b[2J"', "printable characters for name"),
        ('name = "Call"', "", "for name of a [[play]] in /playbooks.toml, line 2, got none"),
        ('owner = "csm"', 'ownr = "csm"', "line 8, got 'ownr'. Did you mean owner?"),
        ('"churn"', '"chrn"', "line 5, got 'chrn'. Did you mean churn?"),
        ('"person"', '"persons"', "line 7, got 'persons'. Did you mean person?"),
        ('["Call them."]', "[]", "1 to 10 sentences"),
        ('["Call them."]', '"Call them."', "line 6, got 'Call them.'"),
        ('["Call them."]', '["Call them.", 3]', "1 to 10 sentences"),
    ],
)
def test_a_wrong_value_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert said in refused(tmp_path, WHOLE.replace(before, after, 1))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('families = ["biling"]', "line 9, got ['biling']. Did you mean billing?"),
        ("families = []", "line 9, got []. Name one, or leave it out."),
        ('families = ["usage", "usage"]', "each once"),
        ('families = "usage"', "a list of usage"),
        ('tiers = ["vip"]', "There are high, mid, tech, unknown."),
        ('days_to_renewal = "soon"', '{ from = 0, to = 90 }, one of the two, or "none"'),
        ("days_to_renewal = {}", "one of the two"),
        ("days_to_renewal = { from = 9, to = 1 }", "Exchange the two."),
        ("days_to_renewal = { from = 1.5 }", "whole days"),
        ("days_to_renewal = { from = true }", "whole days"),
        ("days_to_renewal = { to = 99999 }", "whole days"),
        ("days_to_renewal = { until = 9 }", "one of the two"),
    ],
)
def test_what_a_play_answers_is_checked(tmp_path: Path, line: str, said: str) -> None:
    assert said in refused(tmp_path, CALL + line + GROW + CALL.replace('"call"', '"last"'))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("every_days = 30", "every_days = 0", "line 23, got 0"),
        ("every_days = 30", "every_days = true", "line 23, got True"),
        ('["csm"]', "[]", "line 22, got []"),
        ('["csm"]', '["boss"]', "There are csm, lead, mail."),
        ("days_overdue", "day_overdue", "Did you mean billing__days_overdue"),
        ('"billing__days_overdue >= 30"', "30", "a condition in quotes"),
        ("billing__days_overdue >= 30", "exit()", "line 21, got 'exit()': Call"),
    ],
)
def test_a_wrong_trigger_is_named_with_its_line(
    tmp_path: Path, before: str, after: str, said: str
) -> None:
    assert said in refused(tmp_path, WHOLE.replace(before, after, 1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (WHOLE + "[webhok]\n", "line 24, got 'webhok'"),
        (WHOLE + CALL, "line 25, got 'call', which line 2 has already"),
        (WHOLE + TRIGGER, "line 25, got 'overdue', which line 18 has already"),
        ('play = "call"\n', "line 1, got another value. Write [[play]]"),
        ('own_families = ["usage"]\n' + WHOLE, "Remove usage."),
        ('own_families = ["Weather"]\n' + WHOLE, "groups of features of your own"),
        (WHOLE + "[[play]\n", "breaks it: "),
        (CALL * 201, "at most 200 [[play]]"),
        ("x = " + "[" * 5000, "breaks it: "),
    ],
)
def test_a_wrong_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    assert said in refused(tmp_path, text)


def test_text_that_is_no_utf_8_is_named_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "playbooks.toml"
    file.write_bytes(CALL.encode() + b'name = "caf\xe9"\n')
    with pytest.raises(PlaybookError, match=r"line 9, got another encoding. Save it as UTF-8"):
        read_playbook(file)


def test_a_file_that_is_not_there_is_said_with_a_cure(tmp_path: Path) -> None:
    with pytest.raises(PlaybookError, match=r"got: No such file.* tenure playbooks init"):
        read_playbook(tmp_path / "nowhere.toml")


# No blank cell


def test_a_combination_without_a_play_is_named(tmp_path: Path) -> None:
    near = CALL + "days_to_renewal = { to = 90 }\n" + GROW
    assert "none for question churn, family usage, tier high, renewal in 91 days or more" in (
        refused(tmp_path, near)
    )
    called = CALL + 'tiers = ["high", "mid", "tech"]\n' + GROW
    assert "tier unknown" in refused(tmp_path, called)
    assert "question expansion" in refused(tmp_path, CALL)
    dated = CALL + "days_to_renewal = { to = 9 }\n" + CALL.replace('"call"', '"later"')
    assert "no known renewal" in refused(tmp_path, dated + "days_to_renewal = { from = 10 }" + GROW)


def test_an_own_family_needs_a_play_too(tmp_path: Path) -> None:
    ours = ", ".join(f'"{family}"' for family in (*FAMILIES, "none"))
    narrow = 'own_families = ["weather"]\n' + CALL + f"families = [{ours}]\n" + GROW
    assert "family weather" in refused(tmp_path, narrow)
    wide = narrow.replace('"none"]', '"none", "weather"]')
    play = read_playbook(written(tmp_path, wide)).play_for("churn", "weather", None, None)
    assert play.families[-1] == "weather"


def test_a_play_that_never_comes_up_is_refused(tmp_path: Path) -> None:
    hidden = CALL.replace('"call"', '"hidden"') + 'families = ["usage"]\n'
    assert "line 18, got 'hidden'" in refused(tmp_path, CALL + GROW + hidden)


def test_the_first_play_that_fits_counts(tmp_path: Path) -> None:
    first = CALL.replace('"call"', '"near"') + "days_to_renewal = { from = 0, to = 90 }\n"
    playbook = read_playbook(written(tmp_path, first + WHOLE))
    found = [playbook.play_for("churn", None, None, days).id for days in (-1, 0, 90, 91, None)]
    assert found == ["call", "near", "near", "call", "call"]


def test_an_unknown_family_and_tier_get_what_none_gets(tmp_path: Path) -> None:
    none = CALL.replace('"call"', '"none"') + 'families = ["none"]\ntiers = ["unknown"]\n'
    playbook = read_playbook(written(tmp_path, none + WHOLE))
    given = [("planets", "vip"), (None, None), ("usage", None), (None, "high")]
    assert [playbook.play_for("churn", *each, 9).id for each in given] == [
        "none",
        "none",
        "call",
        "call",
    ]


# Lines


ODD = (
    """# [[play]] is no play here
own_families = [ # nor here: [[play]]
  "weather",
]
[[play]]
id = '''
first'''
name = """
    r'''"""
[[play]] "quoted" \""" ""
no.""""" # ]
'''
    """"question" = "churn"
steps = [
  "One. # no comment", # "
  'Two. "',
]
run_by = "person"
owner = "csm"
tiers = ["vip"]
"""
)


def test_lines_are_told_past_comments_and_texts_of_several_lines() -> None:
    (play,) = tomllib.loads(ODD)["play"]
    assert (play["id"], play["steps"][1]) == ("first", 'Two. "')
    for text in (ODD, ODD.replace("\n", "\r\n")):
        lines = lines_of(text)
        found = [lines.of("play", 0, key) for key in ("id", "name", "question", "steps", "tiers")]
        assert found == [6, 8, 11, 12, 18]
        assert (lines.of("play"), lines.of("", 0, "own_families")) == (5, 2)


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_a_file_from_elsewhere_keeps_its_lines(tmp_path: Path, ends: str) -> None:
    text = "\ufeff" + (WHOLE + 'tiers = ["vip"]').replace("\n", ends)
    assert "line 24, got ['vip']" in refused(tmp_path, text)


@pytest.mark.parametrize("header", ["[[ play ]]", '[["play"]]', "[[play]] # [[play]]"])
def test_headers_may_be_written_as_toml_allows(tmp_path: Path, header: str) -> None:
    text = WHOLE.replace("[[play]]", header) + CALL.replace("[[play]]", header)
    assert "line 25, got 'call', which line 2 has already" in refused(tmp_path, text)


def test_a_table_below_a_play_and_plays_in_one_line_have_lines(tmp_path: Path) -> None:
    below = CALL + "[play.days_to_renewal]\nfrom = 9\nto = 1\n" + GROW
    assert "line 9, got" in refused(tmp_path, below)
    dotted = CALL + "days_to_renewal.from = 9\ndays_to_renewal.to = 1\n" + GROW
    assert "line 9, got" in refused(tmp_path, dotted)
    assert "line 2, got 'x'" in refused(tmp_path, "# all in one\nplay = [{ x = 1 }]\n")


def test_the_default_keeps_its_lines() -> None:
    text = DEFAULT.read_text(encoding="utf-8").splitlines()
    playbook = read_playbook()
    for each in (*playbook.plays, *playbook.triggers):
        assert text[each.line - 1].startswith("[[")
        assert text[each.line] == f'id = "{each.id}"'

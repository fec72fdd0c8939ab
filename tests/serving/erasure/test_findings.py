"""Findings of older releases are found however they were written, and nothing stops the sweep."""

import html
import json
from datetime import date

import pytest

from features.home import Home
from features.tombstones import bury
from serving.erasure.findings import sweep_findings

ODD = 'Zoë "ö" \\ 😀\t&'


def told(account_id: str) -> str:
    return f"as of 2026-03-02, account {account_id} has 4.0 of it"


@pytest.mark.parametrize(
    "written",
    [
        json.dumps({"a": told(ODD)}),
        json.dumps({"a": told(ODD)}, ensure_ascii=False),
        html.escape(told(ODD)),
        html.escape(json.dumps(told(ODD))),
    ],
)
def test_an_account_is_found_however_its_name_was_written(home: Home, written: str) -> None:
    erased = bury(home, [ODD], date(2026, 3, 2))
    file = home.reports / "audit" / "findings.json"
    file.parent.mkdir(parents=True)
    file.write_text(f"{written}\n{told('acme')}", encoding="utf-8")
    assert sweep_findings(home, erased) == 1
    left = file.read_text(encoding="utf-8")
    assert "Zo" not in left
    assert told("(erased)") in left
    assert told("acme") in left


def test_a_file_that_is_no_text_stays_and_stops_nothing(home: Home) -> None:
    erased = bury(home, ["acme"], date(2026, 3, 2))
    home.reports.mkdir(parents=True)
    (home.reports / "a.html").write_bytes(b"\xff\xfe no text")
    (home.reports / "b.html").write_bytes(b"\xff " + told("acme").encode())
    assert sweep_findings(home, erased) == 1
    assert (home.reports / "a.html").read_bytes() == b"\xff\xfe no text"
    assert (home.reports / "b.html").read_bytes() == b"\xff " + told("(erased)").encode()

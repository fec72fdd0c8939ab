"""Where a page cannot be shown, a person is told what is the matter and what to do."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.serving.conftest import Served

HTML = {"accept": "text/html,*/*;q=0.8"}


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("/accounts/nobody", 404, "There is nothing here"),
        ("/logout", 405, "This did not work"),
        ("/?limit=many", 422, "Part of the address cannot be used"),
        ("/accounts", 401, "This is no page"),
        ("/nope", 401, "This is no page"),
    ],
)
def test_a_person_gets_a_page_and_a_program_json(
    served: "Served", path: str, status: int, told: str
) -> None:
    with served.browser() as browser:
        page, answer = browser.get(path, headers=HTML), browser.get(path)
    assert (page.status_code, answer.status_code) == (status, status)
    assert f"<h1>{told}</h1>" in page.text
    assert page.headers["x-request-id"] in page.text
    assert answer.json()["error"]["request_id"] == answer.headers["x-request-id"]


def test_it_is_told_which_part_of_an_address_is_wrong(served: "Served") -> None:
    with served.browser() as browser:
        page = browser.get("/?limit=many&tab=all", headers=HTML)
    assert "<code>limit</code>: Expected `int`" in page.text
    assert 'href="/"' in page.text


def test_it_is_told_in_the_readers_language(served: "Served") -> None:
    with served.browser() as browser:
        page = browser.get("/accounts/nobody", headers={**HTML, "accept-language": "zh"})
    assert '<html lang="zh">' in page.text
    assert "There is nothing here" not in page.text


def test_calls_of_programs_answer_in_their_one_shape_whatever_they_accept(
    served: "Served",
) -> None:
    with served.client("read") as client:
        answer = client.get("/v1/accounts/nobody", headers=HTML)
    assert answer.json()["error"]["code"] == "not_found"

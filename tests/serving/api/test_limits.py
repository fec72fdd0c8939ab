"""How many requests are let in, by a clock that the test sets, and what those beyond are told."""

from typing import TYPE_CHECKING

import httpx
import pytest

from features.home import Home
from serving.access.tokens import add_token
from serving.api.guard import network_of
from serving.api.limits import MOST_KEYS, Limiter
from serving.parts import LOGINS_AT_ONCE, UNKNOWN_AT_ONCE, UNKNOWN_PER_SECOND, open_parts, utc_now
from serving.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import ServeParts


class Clock:
    seconds = 5000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


def let_in(limiter: Limiter, key: str, requests: int) -> int:
    return sum(limiter.wait(key) == 0 for _ in range(requests))


def test_a_burst_is_let_in_and_then_the_rate(clock: Clock) -> None:
    limiter = Limiter(per_second=2, burst=5, clock=clock)
    found = []
    for _ in range(4):
        found.append(let_in(limiter, "a", 9))
        clock.seconds += 1
    assert found == [5, 2, 2, 2]


def test_a_bucket_is_full_again_after_a_while_and_holds_no_more(clock: Clock) -> None:
    limiter = Limiter(per_second=2, burst=5, clock=clock)
    let_in(limiter, "a", 9)
    clock.seconds += 1000
    assert let_in(limiter, "a", 9) == 5


def test_one_who_waits_as_long_as_told_is_let_in_and_not_before(clock: Clock) -> None:
    limiter = Limiter(per_second=0.25, burst=1, clock=clock)
    assert limiter.wait("a") == 0
    clock.seconds += 1
    assert limiter.wait("a") == 3
    clock.seconds += 2.9
    assert limiter.wait("a") == pytest.approx(0.1)
    clock.seconds += 0.1
    assert limiter.wait("a") == 0


def test_one_does_not_use_up_what_another_has(clock: Clock) -> None:
    limiter = Limiter(per_second=1, burst=2, clock=clock)
    assert (let_in(limiter, "a", 5), let_in(limiter, "b", 5)) == (2, 2)


def test_it_does_not_grow_without_end(clock: Clock) -> None:
    limiter = Limiter(per_second=1, burst=1, clock=clock)
    for number in range(MOST_KEYS):
        limiter.wait(str(number))
    assert limiter.wait("one more") > 0
    clock.seconds += 1
    assert limiter.wait("one more") == 0


def test_a_token_that_sends_too_much_is_told_when_to_ask_again(
    tmp_path: "Path", serve_parts: "ServeParts", clock: Clock
) -> None:
    settings = Settings(home=Home(tmp_path), requests_per_second=0.5, requests_at_once=3)
    parts = open_parts(settings, clock=clock)
    first, other = (
        {"authorization": f"Bearer {add_token(parts.store, name, ['read'], utc_now())}"}
        for name in ("first", "other")
    )
    with serve_parts(parts) as url, httpx.Client(base_url=url) as client:
        sent = [client.get("/openapi.json", headers=first) for _ in range(4)]
        assert [answer.status_code for answer in sent] == [200, 200, 200, 429]
        assert sent[3].headers["retry-after"] == "2"
        assert sent[3].json()["error"]["code"] == "too_many_requests"
        assert client.get("/openapi.json", headers=other).status_code == 200
        assert client.get("/livez").status_code == 200
        clock.seconds += 2
        assert client.get("/openapi.json", headers=first).status_code == 200
        assert 'route="limited",status="429"' in client.get("/metrics", headers=other).text
    parts.close()


def test_tokens_that_are_made_up_are_limited_by_address_and_known_ones_are_not(
    tmp_path: "Path", serve_parts: "ServeParts", clock: Clock
) -> None:
    parts = open_parts(Settings(home=Home(tmp_path)), clock=clock)
    good = {"authorization": f"Bearer {add_token(parts.store, 'good', ['read'], utc_now())}"}
    with serve_parts(parts) as url, httpx.Client(base_url=url) as client:

        def sent(made_up: int) -> int:
            token = f"tenure_{made_up:012x}_{'a' * 43}"
            headers = {"authorization": f"Bearer {token}"}
            return client.get("/openapi.json", headers=headers).status_code

        client.get("/openapi.json", headers=good)
        statuses = [sent(number) for number in range(UNKNOWN_AT_ONCE)]
        assert statuses == [401] * (UNKNOWN_AT_ONCE - 1) + [429]
        assert client.get("/openapi.json", headers=good).status_code == 200
        clock.seconds += 2 / UNKNOWN_PER_SECOND
        assert [sent(number) for number in range(3)] == [401, 401, 429]
    parts.close()


def test_one_network_of_ipv6_is_one_who_asks() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") != network_of("2001:db9::1")
    assert network_of("::ffff:10.0.0.7") == network_of("10.0.0.7") == "10.0.0.7"
    assert network_of("testclient") == "testclient"


def test_logins_are_limited_by_address(
    tmp_path: "Path", serve_parts: "ServeParts", clock: Clock
) -> None:
    parts = open_parts(Settings(home=Home(tmp_path)), clock=clock)
    with serve_parts(parts) as url, httpx.Client(base_url=url) as client:
        sent = [client.post("/login", data={"login": "x"}) for _ in range(LOGINS_AT_ONCE + 1)]
        statuses = [answer.status_code for answer in sent]
        assert statuses == [403] * LOGINS_AT_ONCE + [429]
        assert client.get("/login").status_code == 200
    parts.close()

"""People log in by a provider of OpenID Connect: a small real one, on loopback, with real keys."""

import hashlib
import json
import re
import threading
import time
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import httpx
import pytest
import sqlalchemy as sa
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from features.errors import SettingsError
from features.home import Home
from serving.access.oidc import provider_of
from serving.access.users import Place, add_user, disable_user, user_of
from serving.parts import Parts, open_parts, utc_now
from serving.settings import Settings, read_settings
from serving.store import tables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving.conftest import Log, ServeParts

CLIENT, SECRET = "tenure", "of-the-client-0123456789"
HTML = {"accept": "text/html"}
KEY = RSAKey.generate_key(2048, {"kid": "first"})
OTHERS_KEY = RSAKey.generate_key(2048, {"kid": "first"})

Spoil = Callable[[dict[str, Any]], object]


@dataclass
class Said:
    """What the provider says of whoever comes, and what of it is wrong."""

    email: str = "ann@example.com"
    spoil: Spoil = lambda _claims: None
    key: RSAKey = field(default_factory=lambda: KEY)
    alg: str = "RS256"
    published: list[RSAKey] = field(default_factory=lambda: [KEY])
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    tokens: int = 0


class _Provider(BaseHTTPRequestHandler):
    """Authorizes whoever comes, and exchanges a code once, for who shows the right verifier."""

    said: ClassVar[Said]
    issuer: ClassVar[str]

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if url.path == "/.well-known/openid-configuration":
            names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
            addresses = {name: f"{self.issuer}/{name}" for name in names}
            self._answer({"issuer": self.issuer, **addresses})
        elif url.path == "/jwks_uri":
            self._answer(KeySet(self.said.published).as_dict(private=False))
        else:
            asked = dict(parse_qsl(url.query))
            code = f"code-{len(self.said.asked)}"
            self.said.asked[code] = asked
            self.send_response(303)
            query = urlencode({"code": code, "state": asked["state"], "iss": self.issuer})
            self.send_header("location", f"{asked['redirect_uri']}?{query}")
            self.end_headers()

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["content-length"])).decode()))
        asked = self.said.asked.pop(form["code"], None)
        digest = hashlib.sha256(form["code_verifier"].encode()).digest()
        challenge = urlsafe_b64encode(digest).rstrip(b"=").decode()
        client = b64decode(self.headers["authorization"].partition(" ")[2]).decode()
        is_right = asked is not None and asked["code_challenge"] == challenge
        if asked is None or not is_right or client != f"{CLIENT}:{SECRET}":
            self._answer({"error": "invalid_grant"}, 400)
            return
        self.said.tokens += 1
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT,
            "sub": "1",
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "email": self.said.email,
            "email_verified": True,
        }
        self.said.spoil(claims)
        told = {"access_token": "x", "token_type": "Bearer", "id_token": self._signed(claims)}
        self._answer(told)

    def _signed(self, claims: dict[str, Any]) -> str:
        if self.said.alg == "RS256":
            kid = self.said.key.kid
            return jwt.encode({"alg": "RS256", "kid": kid}, claims, self.said.key)
        parts = ({"alg": "none", "typ": "JWT"}, claims)
        texts = [urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts]
        return b".".join((*texts, b"")).decode()

    def _answer(self, document: dict[str, Any], status: int = 200) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def provider(said: Said) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    issuer = f"http://127.0.0.1:{server.server_port}"
    server.RequestHandlerClass = type("Of", (_Provider,), {"said": said, "issuer": issuer})
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield issuer
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Opened:
    """A service whose people a provider vouches for."""

    url: str
    parts: Parts
    said: Said
    ahead: list[float]

    def browser(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers=HTML, timeout=30)

    def sent(self, browser: httpx.Client, wanted: str = "/") -> str:
        """Go to the provider, and give the address that it sends a browser back to."""
        there = browser.get("/login/oidc", params={"next": wanted}).headers["location"]
        back = urlsplit(httpx.get(there).headers["location"])
        return f"{back.path}?{back.query}"

    def audited(self) -> list[tuple[str, str, str]]:
        with self.parts.store.reading() as connection:
            rows = connection.execute(sa.select(tables.audit).order_by(tables.audit.c.entry))
            return [(row.actor, row.action, row.object) for row in rows]


@pytest.fixture(scope="module")
def served_once(
    serve_parts: "ServeParts", tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    said, ahead = Said(), [0.0]
    with provider(said) as issuer:
        settings = Settings(
            home=Home(tmp_path_factory.mktemp("home")),
            oidc_issuer=issuer,
            oidc_client_id=CLIENT,
            oidc_client_secret=SECRET,
            oidc_redirect_url="http://localhost/login/oidc/back",
        )
        parts = open_parts(settings, clock=lambda: ahead[0])
        add_user(parts.store, "ann@example.com", "Ann", Place("csm", "Ann"), utc_now())
        with serve_parts(parts) as url:
            yield Opened(url, parts, said, ahead)
        parts.close()


@pytest.fixture
def opened(served_once: Opened) -> Iterator[Opened]:
    served_once.ahead[0] += 60  # logins are limited by address
    yield served_once
    fresh = Said()
    for name in ("email", "spoil", "key", "alg", "published"):
        setattr(served_once.said, name, getattr(fresh, name))


def test_whom_the_provider_vouches_for_is_let_in_and_comes_back(opened: Opened) -> None:
    with opened.browser() as browser:
        assert "Sign in with your company" in browser.get("/login").text
        back = browser.get(opened.sent(browser, "/?csm=Ann"))
        assert (back.status_code, back.headers["location"]) == (303, "/?csm=Ann")
        assert browser.get("/").status_code == 200
    user = user_of(opened.parts.store, "ann@example.com")
    assert user is not None
    assert opened.audited()[-1] == (user.user_id, "login", "OpenID Connect")


def test_what_is_sent_along_is_a_code_flow_with_pkce(opened: Opened) -> None:
    with opened.browser() as browser:
        there = urlsplit(browser.get("/login/oidc").headers["location"])
        asked = {name: values[0] for name, values in parse_qs(there.query).items()}
        again = urlsplit(browser.get("/login/oidc").headers["location"])
    assert (asked["response_type"], asked["code_challenge_method"]) == ("code", "S256")
    assert asked["scope"] == "openid email"
    assert {"state", "nonce", "code_challenge"} <= asked.keys()
    assert "secret" not in there.query
    other = parse_qs(again.query)
    for name in ("state", "nonce", "code_challenge"):
        assert other[name] != [asked[name]]


def put(**values: Any) -> Spoil:
    return lambda claims: claims.update(values)


def take(name: str) -> Spoil:
    return lambda claims: claims.pop(name)


FAULTS: dict[str, dict[str, Any]] = {
    "another nonce": {"spoil": put(nonce="0" * 64)},
    "no nonce": {"spoil": take("nonce")},
    "another audience": {"spoil": put(aud="other")},
    "no audience": {"spoil": take("aud")},
    "two audiences": {"spoil": put(aud=[CLIENT, "other"])},
    "another party": {"spoil": put(azp="other")},
    "another issuer": {"spoil": put(iss="https://evil.example")},
    "an expired token": {"spoil": lambda claims: claims.update(exp=claims["iat"] - 61)},
    "no expiry": {"spoil": take("exp")},
    "a token of tomorrow": {"spoil": lambda claims: claims.update(iat=claims["iat"] + 86400)},
    "an unsigned token": {"alg": "none"},
    "another's key": {"key": OTHERS_KEY},
    "an unverified address": {"spoil": put(email_verified=False)},
    "an address said to be verified": {"spoil": put(email_verified="true")},
    "nothing on the address": {"spoil": take("email_verified")},
    "no address": {"spoil": take("email")},
    "an address that is none": {"spoil": put(email=["ann@example.com"])},
    "nobody's address": {"email": "eve@example.com"},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_nobody_is_let_in_by(opened: Opened, log: "Log", fault: str) -> None:
    for name, value in FAULTS[fault].items():
        setattr(opened.said, name, value)
    tokens = opened.said.tokens
    with opened.browser() as browser:
        answer = browser.get(opened.sent(browser))
        assert (answer.status_code, "tenure_session" in browser.cookies) == (401, False)
        assert "That login does not open Tenure" in answer.text
    assert opened.said.tokens == tokens + 1  # it was the token that was refused
    assert opened.audited()[-1] == ("unknown", "refused login", "OpenID Connect")
    assert user_of(opened.parts.store, "eve@example.com") is None
    assert not [text for text in (SECRET, "example.com") if text in log.text]


def test_a_disabled_user_is_not_let_in(opened: Opened) -> None:
    add_user(opened.parts.store, "gone@example.com", "Gone", Place("admin"), utc_now())
    disable_user(opened.parts.store, "gone@example.com", utc_now())
    opened.said.email = "gone@example.com"
    with opened.browser() as browser:
        assert browser.get(opened.sent(browser)).status_code == 401


def test_who_comes_back_twice_is_not_let_in_again(opened: Opened) -> None:
    with opened.browser() as browser:
        back = opened.sent(browser)
        kept = dict(browser.cookies)
        code = parse_qs(urlsplit(back).query)["code"][0]
        asked = dict(opened.said.asked[code])
        assert browser.get(back).status_code == 303
        opened.said.asked[code] = asked  # a provider that would take the code again
        tokens = opened.said.tokens
        browser.cookies.clear()
        cookies = "; ".join(f"{name}={value}" for name, value in kept.items())
        again = browser.get(back, headers={"cookie": cookies})
    assert (again.status_code, opened.said.tokens) == (401, tokens)


@pytest.mark.parametrize("change", ["state", "iss", "code", "cookie"])
def test_an_answer_that_does_not_belong_to_the_browser_is_not_taken(
    opened: Opened, change: str
) -> None:
    tokens = opened.said.tokens
    with opened.browser() as browser, opened.browser() as other:
        back = opened.sent(browser)
        if change == "cookie":
            assert other.get(back).status_code == 401
        elif change == "state":
            theirs = parse_qs(urlsplit(opened.sent(other)).query)["state"][0]
            changed = re.sub(r"state=\w+", f"state={theirs}", back)
            assert browser.get(changed).status_code == 401
        elif change == "iss":
            changed = re.sub(r"iss=[^&]+", "iss=https%3A%2F%2Fevil.example", back)
            assert browser.get(changed).status_code == 401
        else:  # the code that another browser was given: its verifier is another
            theirs = parse_qs(urlsplit(opened.sent(other)).query)["code"][0]
            changed = re.sub(r"code=[\w-]+", f"code={theirs}", back)
            assert browser.get(changed).status_code == 401
    assert opened.said.tokens == tokens


def test_a_new_key_of_the_provider_is_asked_for(opened: Opened) -> None:
    new = RSAKey.generate_key(2048, {"kid": "second"})
    opened.said.key, opened.said.published = new, [KEY, new]
    with opened.browser() as browser:
        assert browser.get(opened.sent(browser)).status_code == 303


def test_a_login_elsewhere_leads_to_our_own_pages_only(opened: Opened) -> None:
    with opened.browser() as browser:
        back = browser.get(opened.sent(browser, "//evil.example/"))
    assert back.headers["location"] == "/"


def test_while_the_provider_is_away_it_is_said(
    serve_parts: "ServeParts", tmp_path: "Path", served_once: Opened
) -> None:
    settings = replace(
        served_once.parts.settings, home=Home(tmp_path), oidc_issuer="http://127.0.0.1:9"
    )
    parts = open_parts(settings)
    with serve_parts(parts) as url, httpx.Client(base_url=url, timeout=30) as browser:
        answer = browser.get("/login/oidc")
    parts.close()
    assert (answer.status_code, "does not answer" in answer.text) == (503, True)


# Settings


def test_a_provider_is_named_in_a_table_its_secret_in_a_file(tmp_path: "Path") -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    (tmp_path / "tenure.toml").write_text(
        f'[oidc]\nissuer = "https://id.example.com"\nclient_id = "{CLIENT}"\n'
        f'client_secret_file = "{tmp_path / "secret"}"\n'
        'redirect_url = "https://tenure.example.com/login/oidc/back"\n'
    )
    settings = read_settings({}, tmp_path)
    found = provider_of(settings, lambda: 0.0)
    assert found is not None
    assert (found.client.issuer, found.client.secret) == ("https://id.example.com", SECRET)
    given = read_settings({"TENURE_OIDC_CLIENT_SECRET": SECRET}, tmp_path)
    assert SECRET not in repr((settings, given, found))


@pytest.mark.parametrize(
    "change",
    [
        {"oidc_issuer": "http://id.example.com"},
        {"oidc_redirect_url": "http://tenure.example.com/login/oidc/back"},
        {"oidc_client_id": None},
        {"oidc_client_secret": None},
        {"oidc_client_secret_file": "nowhere"},
    ],
)
def test_a_provider_that_cannot_be_trusted_is_refused(
    served_once: Opened, change: dict[str, str | None]
) -> None:
    with pytest.raises(SettingsError, match="Expected"):
        provider_of(replace(served_once.parts.settings, **change), lambda: 0.0)

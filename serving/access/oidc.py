"""People for whom a provider of OpenID Connect vouches: Authlib's only door.

The authorization code comes back to a browser, and is exchanged here for a token that says who it
is. A person is known by a verified e-mail address that is the login of a user; nobody is made a
user by coming here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from requests import RequestException

from features.errors import SettingsError, TenureError
from serving.api.limits import Load
from serving.settings import Settings

SCOPES = "openid email"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
SECONDS = 10.0  # for each answer of the provider
TRUSTED_SECONDS = 600.0  # what it said of itself
FEWEST_SECONDS = 30.0  # before its keys are asked for again
LEEWAY_SECONDS = 60
ASKED_AT_ONCE = 4
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
DISCOVERY = "/.well-known/openid-configuration"


class NotVouchedError(TenureError):
    """The provider does not vouch for who came."""


class ProviderAwayError(NotVouchedError):
    """The provider does not answer."""


@dataclass(frozen=True)
class Client:
    """What Tenure is to the provider."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    redirect_url: str


@dataclass(frozen=True)
class Asked:
    """What was sent with a browser to the provider, and has to come back."""

    state: str
    nonce: str
    verifier: str


@dataclass
class Provider:
    """A provider, asked when the first person comes.

    Attributes
    ----------
    clock:
        Seconds that never go back.
    load:
        How many ask it at once: it may be slow.
    """

    client: Client
    clock: Callable[[], float]
    load: Load = field(default_factory=lambda: Load(places=ASKED_AT_ONCE))
    _said: dict[str, Any] = field(default_factory=dict, repr=False)
    _said_at: float = field(default=float("-inf"), repr=False)

    def address(self, asked: Asked) -> str:
        """Give where to send a browser; raises NotVouchedError while the provider is away."""
        endpoint = self._metadata()["authorization_endpoint"]
        with self._session() as session:
            url: str = session.create_authorization_url(
                endpoint, state=asked.state, nonce=asked.nonce, code_verifier=asked.verifier
            )[0]
        return url

    def email(self, code: str, asked: Asked, now: datetime) -> str:
        """Exchange a code, and give the verified address of whom it stands for.

        Parameters
        ----------
        now:
            Naive UTC.

        Raises
        ------
        NotVouchedError
            If the provider does not answer, or what it says is forged, too old, for others or
            unverified.
        """
        token = self._token(code, asked)
        claims = self._claims(token, asked, now)
        email = claims.get("email")
        if claims.get("email_verified") is not True or not isinstance(email, str):
            raise NotVouchedError("Expected a verified e-mail address, got none. Verify it there.")
        return email

    def _token(self, code: str, asked: Asked) -> dict[str, Any]:
        endpoint = self._metadata()["token_endpoint"]
        try:
            with self._session() as session:
                return dict(
                    session.fetch_token(
                        endpoint,
                        code=code,
                        grant_type="authorization_code",
                        code_verifier=asked.verifier,
                        allow_redirects=False,
                    )
                )
        except OAuthError as error:
            raise NotVouchedError(
                "Expected a token for a code, got an error. Log in anew."
            ) from error
        except (RequestException, ValueError) as error:
            raise _unheard(error) from error

    def _claims(self, token: dict[str, Any], asked: Asked, now: datetime) -> dict[str, Any]:
        must_be = {"iss": self.client.issuer, "aud": self.client.client_id}
        try:
            read = self._read(str(token.get("id_token")))
            claims = CodeIDToken(
                read.claims,
                read.header,
                options={name: {"essential": True, "value": one} for name, one in must_be.items()},
                params={
                    "nonce": asked.nonce,
                    "client_id": self.client.client_id,
                    "access_token": token.get("access_token"),
                },
            )
            seconds = int(now.replace(tzinfo=UTC).timestamp())
            claims.validate(now=seconds, leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError, TypeError) as error:
            raise NotVouchedError(
                f"Expected an id token for Tenure, got {type(error).__name__}. Log in anew."
            ) from error
        return dict(claims)

    def _read(self, text: str) -> Any:  # noqa: ANN401 - joserfc's token
        """Check a token's signature; the keys are asked for again where one is not known."""

        def read() -> Any:  # noqa: ANN401 - the same
            keys = KeySet.import_key_set(self._metadata()["jwks"])
            return jwt.decode(text, keys, algorithms=list(ALGORITHMS))

        try:
            return read()
        except (JoseError, ValueError):
            if self.clock() - self._said_at < FEWEST_SECONDS:
                raise
        self._said_at = float("-inf")
        return read()

    def _metadata(self) -> dict[str, Any]:
        if self.clock() - self._said_at < TRUSTED_SECONDS:
            return self._said
        said = self._get(self.client.issuer.rstrip("/") + DISCOVERY)
        if said.get("issuer") != self.client.issuer:
            raise NotVouchedError(
                f"Expected the issuer {self.client.issuer}, got another one from its own address. "
                "Correct oidc_issuer."
            )
        urls = [said.get(f"{name}_endpoint") for name in ("authorization", "token")]
        urls.append(said.get("jwks_uri"))
        if not all(isinstance(url, str) and _is_private(url) for url in urls):
            raise NotVouchedError("Expected https addresses from the provider, got others.")
        self._said, self._said_at = {**said, "jwks": self._get(str(urls[-1]))}, self.clock()
        return self._said

    def _get(self, url: str) -> dict[str, Any]:
        try:
            with self._session() as session:
                answer = session.get(url, withhold_token=True, allow_redirects=False)
                answer.raise_for_status()
                said = answer.json()
        except (RequestException, ValueError) as error:
            raise _unheard(error) from error
        if not isinstance(said, dict):
            raise NotVouchedError("Expected a JSON object from the provider, got another value.")
        return said

    def _session(self) -> Any:  # noqa: ANN401 - Authlib has no types
        return OAuth2Session(
            self.client.client_id,
            self.client.secret,
            token_endpoint_auth_method=_method(self._said),
            scope=SCOPES,
            redirect_uri=self.client.redirect_url,
            code_challenge_method="S256",
            default_timeout=SECONDS,
        )


def provider_of(settings: Settings, clock: Callable[[], float]) -> Provider | None:
    """Give the provider that the settings name; None where they name none.

    Raises
    ------
    SettingsError
        If something of it is missing, or its addresses are not https.
    """
    given = {
        "oidc_issuer": settings.oidc_issuer,
        "oidc_client_id": settings.oidc_client_id,
        "oidc_redirect_url": settings.oidc_redirect_url,
        "oidc_client_secret": _secret(settings),
    }
    missing = sorted(name for name, value in given.items() if not value)
    if len(missing) == len(given):
        return None
    if missing:
        raise SettingsError(
            f"Expected all of {', '.join(given)}, got none for {', '.join(missing)}. "
            "Set them, or none of them."
        )
    issuer, client_id, redirect_url, secret = (str(value) for value in given.values())
    for name, url in (("oidc_issuer", issuer), ("oidc_redirect_url", redirect_url)):
        if not _is_private(url):
            raise SettingsError(f"Expected an https address as {name}, got another. Correct it.")
    return Provider(Client(issuer, client_id, secret, redirect_url), clock)


def _secret(settings: Settings) -> str | None:
    if settings.oidc_client_secret_file is None:
        return settings.oidc_client_secret
    path = Path(settings.oidc_client_secret_file)
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"Expected a file of text as oidc_client_secret_file, got {path}. Correct it."
        ) from error


def _is_private(url: str) -> bool:
    """Tell whether nobody can read or change on the way what is asked there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def _method(said: dict[str, Any]) -> str:
    """Give how Tenure tells its secret: in a header unless the provider only knows the body."""
    known = said.get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
    return "client_secret_basic" if "client_secret_basic" in known else "client_secret_post"


def _unheard(error: Exception) -> ProviderAwayError:
    return ProviderAwayError(
        f"Expected an answer of the provider of logins, got {type(error).__name__}. Try again."
    )

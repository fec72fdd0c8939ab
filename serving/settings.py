"""Settings, read once at the command line and handed on: nothing else reads the environment."""

import dataclasses
import math
import os
import tomllib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from features.errors import SettingsError
from features.home import Home
from serving.scoring.rules import Rules

FILE = "tenure.toml"
PREFIX = "TENURE_"
# What tests and benchmarks read: where public data sets lie, a browser, a database server; and what
# Spark's door reads, as it reads SPARK_REMOTE.
NOT_SETTINGS = frozenset(
    {"TENURE_PUBLIC_DATA", "TENURE_CHROMIUM", "TENURE_TEST_POSTGRES", "TENURE_SPARK_MASTER"}
)
DEFAULT_HOME = ".tenure"
HIGHEST_PORT = 65535
SYNCS = ("second", "sync")
OIDC = (
    "oidc_issuer",
    "oidc_client_id",
    "oidc_client_secret",
    "oidc_client_secret_file",
    "oidc_redirect_url",
)
MAY_BE_0 = frozenset({"port", "refuse_after_days", "cooldown_days", "young_days"})
MAY_HOLD_PASSWORDS = frozenset({"source", "store_url", "oidc_client_secret"})


@dataclass(frozen=True)
class Settings:
    """What an operator may choose.

    Attributes
    ----------
    home:
        Folder of everything that Tenure makes; ``.tenure`` beside ``tenure.toml`` by default.
    source:
        Folder or database of the company's tables, where a verb is given none.
    store_url:
        SQLAlchemy URL of the store; None: a SQLite file in the home.
    host:
        Address to listen on; only the machine itself by default.
    port:
        TCP port of the service, 0 for any free one.
    workers:
        How many processes answer; a core each is enough.
    currency:
        ISO code that money is shown with when the source names none.
    worklist_horizon_days:
        Horizon of the churn probability that orders the work list.
    accounts_a_high_csm, accounts_a_mid_csm:
        How many accounts of the high and the mid tier one CSM can look after: the list of a CSM
        ends there. Accounts of other tiers are not cut.
    cooldown_days:
        So long after a touch an account is not put on the list again.
    young_days:
        Younger accounts are not on the list: their scores tell little.
    stale_after_days:
        Scores older than this are called stale by ``/healthz`` and the page.
    refuse_after_days:
        Scores older than this are not answered any more; 0: they are at any age.
    session_hours:
        How long a login to the pages lasts, however busy it is.
    session_idle_minutes:
        How long it lasts without being used.
    behind_tls:
        Whether browsers reach the page by https, so that its cookies may be kept to it.
    trusted_proxy:
        IP address of the proxy that is believed when it says, by ``X-Forwarded-For``, who asks.
    audit:
        When a row of the audit log is synced to the disk: within a ``second``, or, with ``sync``,
        before its answer leaves.
    requests_per_second, requests_at_once:
        How many requests a token may send to each worker: steadily, and in a burst.
    touch_cost, offer_cost:
        What one account on a list costs, and what it is offered, in the company's currency.
    save_chance, kept_months:
        Chance that a call keeps an account that would have left, and the months of MRR that it
        brings then.
    features:
        Python files that declare features of one's own; a relative one is relative to
        ``tenure.toml``. They are run, so they must be as trusted as the settings themselves.
    playbooks:
        File of plays and triggers, relative in the same way; None: ``playbooks.toml`` in the home
        if it is there, else the default.
    oidc_issuer, oidc_client_id, oidc_redirect_url:
        Who vouches for people by OpenID Connect, what Tenure is called there, and the address of
        ``/login/oidc/back`` as browsers reach it.
    oidc_client_secret, oidc_client_secret_file:
        Tenure's secret there, or the file that holds it.
    """

    home: Home
    source: str | None = field(default=None, repr=False)
    store_url: str | None = field(default=None, repr=False)
    host: str = "127.0.0.1"
    port: int = 3000
    workers: int = 1
    currency: str = "USD"
    worklist_horizon_days: int = 90
    accounts_a_high_csm: int = 25
    accounts_a_mid_csm: int = 150
    cooldown_days: int = 14
    young_days: int = 30
    stale_after_days: int = 8
    refuse_after_days: int = 0
    session_hours: int = 12
    session_idle_minutes: int = 60
    behind_tls: bool = False
    trusted_proxy: str | None = None
    audit: str = "second"
    requests_per_second: float = 100.0
    requests_at_once: int = 200
    touch_cost: float = 150.0
    offer_cost: float = 0.0
    save_chance: float = 0.15
    kept_months: float = 12.0
    features: tuple[Path, ...] = ()
    playbooks: Path | None = None
    oidc_issuer: str | None = None
    oidc_client_id: str | None = None
    oidc_client_secret: str | None = field(default=None, repr=False)
    oidc_client_secret_file: str | None = None
    oidc_redirect_url: str | None = None

    @property
    def store(self) -> str:
        """SQLAlchemy URL of the store, the default filled in."""
        return self.store_url or f"sqlite:///{self.home.store}"

    @property
    def list_rules(self) -> Rules:
        """How the team works its list."""
        capacity = {"high": self.accounts_a_high_csm, "mid": self.accounts_a_mid_csm}
        return Rules(capacity, self.cooldown_days, self.young_days)

    @property
    def economics(self) -> dict[str, float]:
        """What a call costs and wins, by the names that a back-test takes."""
        names = ("touch_cost", "offer_cost", "save_chance", "kept_months")
        return {name: getattr(self, name) for name in names}


def read_settings(environ: Mapping[str, str], folder: Path) -> Settings:
    """Read ``tenure.toml`` in `folder`, then ``TENURE_*`` variables, which win.

    Parameters
    ----------
    environ:
        Usually ``os.environ``.
    folder:
        Where ``tenure.toml`` may lie; relative paths in it are relative to this folder.

    Raises
    ------
    SettingsError
        If a key is unknown or a value is not of its type.
    """
    values: dict[str, Any] = {**_from_file(folder / FILE), **_from_environment(environ)}
    root = Path(str(values.pop("home", DEFAULT_HOME))).expanduser()
    files = [Path(str(path)).expanduser() for path in values.pop("features", ())]
    plays = _checked("playbooks", values.pop("playbooks", None))
    settings = Settings(
        home=Home((folder / root).absolute()),
        features=tuple((folder / path).absolute() for path in files),
        playbooks=None if plays is None else (folder / Path(plays).expanduser()).absolute(),
    )
    return dataclasses.replace(settings, **{key: _checked(key, values[key]) for key in values})


def _types() -> dict[str, type]:
    texts = ("home", "source", "store_url", "trusted_proxy", "playbooks", *OIDC)
    plain: dict[str, type] = dict.fromkeys(texts, str)
    defaults = {
        field.name: type(field.default)
        for field in dataclasses.fields(Settings)
        if field.name not in plain
    }
    return plain | defaults


def _from_file(path: Path) -> dict[str, object]:
    if not path.is_file():
        return {}
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"Expected TOML in {path}, got text that breaks it: {error}. Correct that line."
        ) from error
    if isinstance(table := found.get("oidc"), dict):  # [oidc] is a shorter way to write oidc_…
        del found["oidc"]
        found |= {f"oidc_{key}": value for key, value in table.items()}
    _refuse_unknown({key: key for key in found}, where=str(path))
    return {key: _typed(key, value, str(path)) for key, value in found.items()}


def _from_environment(environ: Mapping[str, str]) -> dict[str, object]:
    found = {
        name.removeprefix(PREFIX).lower(): text
        for name, text in environ.items()
        if name.startswith(PREFIX) and name not in NOT_SETTINGS
    }
    _refuse_unknown({key: _variable(key) for key in found}, where="the environment")
    return {key: _parsed(key, text) for key, text in found.items()}


def _variable(key: str) -> str:
    return PREFIX + key.upper()


def _refuse_unknown(spelling: Mapping[str, str], where: str) -> None:
    for key in sorted(set(spelling) - set(_types())):
        raise SettingsError(
            f"Expected only known settings in {where}, got {spelling[key]}. "
            f"The settings are {', '.join(sorted(_types()))}."
        )


def _typed(key: str, value: object, where: str) -> object:
    wanted = _types()[key]
    if wanted is float and type(value) is int:
        return float(value)
    if wanted is tuple and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return tuple(value)
    if type(value) is not wanted:
        shape = "a list of str" if wanted is tuple else wanted.__name__
        got = type(value).__name__ if key in MAY_HOLD_PASSWORDS else repr(value)
        raise SettingsError(f"Expected {shape} for {key} in {where}, got {got}. Correct that line.")
    return value


def _parsed(key: str, text: str) -> object:
    wanted = _types()[key]
    if wanted is str:
        return text
    if wanted is tuple:
        return tuple(path for path in text.split(os.pathsep) if path)
    if wanted is bool and text.lower() in {"true", "false", "1", "0"}:
        return text.lower() in {"true", "1"}
    if wanted is int and text.strip().isdecimal():
        return int(text)
    if wanted is float:
        with suppress(ValueError):
            return float(text)
    raise SettingsError(
        f"Expected {wanted.__name__} in the variable {_variable(key)}, got {text!r}. "
        "Correct or unset it."
    )


def _checked(key: str, value: Any) -> Any:  # noqa: ANN401 - a setting is of any of five types
    if isinstance(value, float):
        return _checked_number(key, value)
    low = 0 if key in MAY_BE_0 else 1
    high = HIGHEST_PORT if key == "port" else None
    if isinstance(value, int) and not isinstance(value, bool):  # bool is an int in Python
        if value < low or (high is not None and value > high):
            raise SettingsError(
                f"Expected {key} of at least {low}{f' and at most {high}' if high else ''}, "
                f"got {value}. Correct it in {FILE} or {_variable(key)}."
            )
    elif value == "":
        raise SettingsError(f"Expected a value for {key}, got an empty one. Set or remove it.")
    elif (key == "audit" and value not in SYNCS) or (key == "trusted_proxy" and not _is_ip(value)):
        wanted = " or ".join(SYNCS) if key == "audit" else "an IP address"
        raise SettingsError(
            f"Expected {wanted} for {key}, got {value!r}. Correct it in {FILE} or {_variable(key)}."
        )
    return value


def _is_ip(text: str) -> bool:
    with suppress(ValueError):
        return bool(ip_address(text))
    return False


def _checked_number(key: str, value: float) -> float:
    """Demand that a cost, a chance or a length is one."""
    high = 1.0 if key == "save_chance" else math.inf
    low_does = key == "offer_cost" and value == 0
    if not (0 < value < high or low_does):
        above = "at least" if key == "offer_cost" else "above"
        below = " and below 1" if key == "save_chance" else ""
        raise SettingsError(
            f"Expected {key} {above} 0{below}, got {value:g}. Correct it in {FILE} or "
            f"{_variable(key)}."
        )
    return value

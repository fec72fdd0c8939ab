"""How the command line speaks: progress for people on standard error, one answer at the end."""

import errno
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from features.errors import SettingsError, TenureError
from features.home import Home
from serving.settings import Settings, read_settings

if TYPE_CHECKING:
    from features.built import Built, Demand
    from features.checked import CheckedSource
    from features.engine import Cluster
    from features.own.harvest import Own
    from features.tombstones import Hold
    from models.registry import Registry
    from serving.playbooks.playbook import Playbook
    from serving.store.database import Store

SHOWN = (("auc", "AUC"), ("average_precision", "AP"), ("log_loss", "log loss"))
NAME_WIDTH = 30
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
ROOM = "Make room there and run it again; what was kept before is as it was."
INTERRUPTED = 130  # what a shell reports for a program that Ctrl-C ended


@dataclass(frozen=True)
class Session:
    """What every verb works with: the settings, and how it speaks."""

    as_json: bool = False

    @cached_property
    def settings(self) -> Settings:
        """Read from tenure.toml and TENURE_* on first use."""
        return read_settings(os.environ, Path.cwd())

    @property
    def home(self) -> Home:
        """Where everything that Tenure makes lies; only its owner can look inside."""
        home = self.settings.home
        home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        return home

    @cached_property
    def registry(self) -> "Registry":
        """The model registry."""
        from models.registry import Registry

        return Registry(self.home)

    @cached_property
    def store(self) -> "Store":
        """The store of scores, feedback and tokens."""
        from serving.store.database import open_store

        return open_store(str(self.home and self.settings.store))

    @cached_property
    def own(self) -> "Own":
        """The company's own features, from the files that the settings name."""
        from features.own.harvest import harvest

        return harvest(self.settings.features)

    @cached_property
    def playbook(self) -> "Playbook":
        """The plays and triggers in use, whose features are all known here."""
        from serving.playbooks.read import playbook_in_use

        return playbook_in_use(self.settings, self.own)

    @cached_property
    def at_work(self) -> "Hold":
        """Keeps an erasure waiting while a verb works with what it checked."""
        from features.tombstones import Hold

        return Hold(self.home)

    @property
    def sample(self) -> Path:
        """Where the quickstart's sample company lies."""
        return self.home.sample

    def source(self, named: str | None) -> str:
        """Give the source to work on: the one named, else that of the settings, else the sample.

        Raises
        ------
        SettingsError
            If there is none of them.
        """
        source = named or self.settings.source
        if source is None and self.sample.is_dir():
            source = str(self.sample)
        if source is None:
            raise SettingsError(
                "Expected a source, got none. Name it with --source, or as `source` in tenure.toml."
            )
        return source

    def checked(
        self, source: str, limit: float = 0.05, on: "Cluster | None" = None
    ) -> "CheckedSource":
        """Check a source against the contract, its log on a cluster's workers if there is one."""
        from features.sources.check import check
        from features.sources.vanished import vanished

        self.at_work.begin()
        with step("Checking the source") as say:  # not its name: a URL may hold a password
            checked = check(source, home=self.home, limit=limit, progress=say, on=on)
        gone = vanished(checked, self.home)
        for finding in gone:
            click.echo(f"tenure: {finding.message}", err=True)
        return replace(checked, findings=(*checked.findings, *gone))

    def checked_before(self, named: str | None, fingerprint: str) -> "CheckedSource":
        """Give the checked data of a fingerprint that the home still holds, unless one is named."""
        from features.checked import open_checked

        folder = self.home.checked / fingerprint
        if named is None and folder.is_dir():
            return open_checked(folder)
        return self.checked(self.source(named))

    def history(self, named: str | None, enough: "Demand | None" = None) -> "Built":
        """Build what models learn from: a source's features at the start of each month.

        `enough` sees the states before the features are built, and may raise.

        Raises
        ------
        FeatureError
            When features of one's own have not passed their check.
        """
        from features.own.harvest import demand_passed
        from models.asked import any_asks_for_touches
        from models.questions import QUESTIONS

        demand_passed(self.own, self.home)
        touches = any_asks_for_touches(QUESTIONS.values())
        return self.built(named, touches=touches, enough=enough)

    def built(
        self,
        named: str | None,
        days: Sequence[date] = (),
        *,
        touches: bool = False,
        enough: "Demand | None" = None,
    ) -> "Built":
        """Build the features of a source at some dates, by default the start of each month."""
        from features.built import built, month_starts

        checked = self.checked(self.source(named))
        with step(f"Building features at the {'dates' if days else 'start of each month'}"):
            return built(
                checked,
                days or month_starts(checked),
                home=self.home,
                own=self.own,
                touches=touches,
                enough=enough,
            )

    def today(self, checked: "CheckedSource") -> "Built":
        """Build the features of a source at its extract, for every question."""
        from features.built import built
        from models.asked import any_asks_for_touches
        from models.questions import QUESTIONS

        touches = any_asks_for_touches(QUESTIONS.values())
        with step("Building today's features"):
            days = (checked.extracted_at.date(),)
            return built(checked, days, home=self.home, own=self.own, touches=touches)

    def warn_of_untried(self) -> None:
        """Say on standard error which features of one's own have not passed their check."""
        from features.own.harvest import has_passed

        if not has_passed(self.own, self.home):
            names = ", ".join(feature.column for feature in self.own.features)
            text = f"{names}: not passed as the file stands now, and may look ahead."
            click.echo(f"tenure: {text} Run: tenure features SOURCE --check", err=True)

    def answer(self, text: str, document: object) -> None:
        """End a verb with text, or with JSON where a script asked for it."""
        shown = json.dumps(document, default=str, allow_nan=False) if self.as_json else text
        click.echo(shown)
        if "at_work" in vars(self):
            self.at_work.end()  # what follows, as serving, works with nothing that was checked


def as_json(command: Callable[..., None]) -> Callable[..., None]:
    """Add --json to a verb, and give it the session."""

    def start(_context: click.Context, _option: click.Parameter, value: bool) -> Session:  # noqa: FBT001 - click's callback
        return Session(as_json=value)

    option = click.option(
        "--json", "session", is_flag=True, callback=start, help="One JSON document, nothing else."
    )
    return option(command)


source_option = click.option(
    "--source", metavar="SOURCE", help="Folder or database URL; else `source` of tenure.toml."
)


def _to_spark(_context: click.Context, _option: click.Parameter, master: str | None) -> str | None:
    if master:
        os.environ["TENURE_SPARK_MASTER"] = master  # Spark's door reads it, as it does SPARK_REMOTE
    return master


master_option = click.option(
    "--master",
    callback=_to_spark,
    help="Where Spark runs: local[2] by default, spark://host:7077, yarn, sc://host (Connect).",
)


def sample_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add what a sample company is made from to a verb."""
    at_least_one = click.IntRange(1)
    for option in (
        click.option("--seed", default=1, show_default=True, help="Another one, another company."),
        click.option("--months", default=48, show_default=True, type=at_least_one),
        click.option("--accounts", default=2000, show_default=True, type=at_least_one),
    ):
        command = option(command)
    return command


def parquet(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    """Refuse a name that promises another format than the one that is written."""
    if path is not None and path.suffix != ".parquet":
        raise click.BadParameter(f"{str(path)!r} is written as Parquet: let it end in .parquet.")
    return path


def dates_asked(
    dates: Sequence[datetime], first: datetime | None, last: datetime | None, every: str
) -> list[date]:
    """Give the dates of --as-of and those of the series from --from to --to, in order.

    Raises
    ------
    click.UsageError
        If the series has one end only, runs backwards, or has no date in it.
    """
    from features.built import dates_between

    if (first is None) != (last is None):
        raise click.UsageError("--from and --to belong together: give both, or --as-of.")
    series: tuple[date, ...] = ()
    if first and last:
        series = dates_between(first.date(), last.date(), every)
        if not series:
            raise click.UsageError(
                f"No {every} begins between --from {first:%Y-%m-%d} and --to {last:%Y-%m-%d}: "
                "give the earlier date first, and a longer span."
            )
    return sorted({each.date() for each in dates}.union(series))


@contextmanager
def ended_as_promised() -> Iterator[None]:
    """End with 1 and one clear line on a failure, 2 on wrong usage, 130 when stopped."""
    try:
        yield
    except TenureError as error:
        _end(str(error), 1)
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        cure = ROOM if error.errno in NO_ROOM else "Choose a place that can be read and written."
        _end(f"{error.strerror or error}{place}. {cure}", 1)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        _end("stopped", INTERRUPTED)
    except RuntimeError as error:
        if "Query interrupted" not in str(error):  # DuckDB's word for Ctrl-C
            raise
        _end("stopped", INTERRUPTED)
    except Exception as error:
        told = [os.strerror(number) for number in NO_ROOM if os.strerror(number) in str(error)]
        if not told:
            raise
        _end(f"{told[0]}. {ROOM}", 1)  # as DuckDB, Polars and Arrow say it, each in its own class


def _end(text: str, code: int) -> None:
    click.echo(f"tenure: {text}", err=True)
    sys.exit(code)


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Show that work goes on, what it is at and how long it took."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    started = time.monotonic()
    with console.status(title) as status:
        yield lambda detail: status.update(f"{title}: {detail}")
    console.print(f"  {title} [dim]({time.monotonic() - started:.0f} s)[/dim]")


def figures(name: str, metrics: Mapping[str, Any]) -> str:
    """Put the main figures of a model, each {value, low, high}, on one line.

    Churn gets a second line: an annual contract cannot leave before its term ends, so the figures
    over all accounts reward knowing the calendar.
    """
    lines = [_line(name, metrics)]
    can_leave = metrics.get("populations", {}).get("can_leave")
    if can_leave and name == "churn":
        lines.append(_line(f"{name}, of those that can leave", can_leave))
    return "\n".join(lines)


def _line(name: str, metrics: Mapping[str, Any]) -> str:
    shown = [
        f"{label} {found['value']:.3f} [{found['low']:.3f}, {found['high']:.3f}]"
        for key, label in SHOWN
        if (found := metrics.get(key))
    ]
    return f"  {name:<{NAME_WIDTH}} {'  '.join(shown) or 'too few events for figures'}"

"""What `tenure features` is asked for: its options, and which of them go together."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Literal

import click

from serving.verbs.console import dates_asked, master_option

Mode = Literal["build", "describe", "list", "profile", "check"]
ENGINES = click.Choice(["duckdb", "polars", "spark"])
DAY = click.DateTime(["%Y-%m-%d"])
FEATURES_EXAMPLES = """\b
tenure features SOURCE --out features.parquet --from 2024-01-01 --to 2024-12-01
tenure features SOURCE --out features --engine spark --master spark://host:7077
tenure features --describe usage__events
tenure features SOURCE --profile --out profile.html
tenure features SOURCE --check
"""


@dataclass(frozen=True)
class Asked:
    """One call of the verb.

    Raises
    ------
    click.UsageError
        When options do not go together, or one that is needed is missing.
    """

    source: str | None
    out: Path | None
    dates: tuple[datetime, ...]
    first: datetime | None
    last: datetime | None
    every: str
    engine: str
    master: str | None
    describe: str | None
    is_list: bool
    is_profile: bool
    is_check: bool

    def __post_init__(self) -> None:
        if len(self._modes) > 1:
            names = ", ".join(f"--{mode}" for mode in self._modes)
            raise click.UsageError(f"{names}: one at a time.")
        if self.source is None and self.mode not in {"describe", "list"}:
            raise click.UsageError("Missing SOURCE; only --describe and --list go without one.")
        if self.master and self.engine != "spark":
            raise click.UsageError("--master goes with --engine spark.")
        self._check_out()
        if self.mode not in {"build", "profile"} and (self.dates or self.first or self.last):
            raise click.UsageError(f"--{self.mode} takes no dates.")

    @property
    def mode(self) -> Mode:
        """What is to be done; without --describe, --list, --profile and --check, a table."""
        return next(iter(self._modes), "build")

    @property
    def is_partitioned(self) -> bool:
        """Whether the table is to be a folder of parts, which only Spark writes."""
        is_folder = self.out is not None and not self.out.suffix
        return self.mode == "build" and self.engine == "spark" and is_folder

    @property
    def _modes(self) -> tuple[Mode, ...]:
        given: dict[Mode, bool] = {
            "describe": self.describe is not None,
            "list": self.is_list,
            "profile": self.is_profile,
            "check": self.is_check,
        }
        return tuple(mode for mode, is_given in given.items() if is_given)

    def _check_out(self) -> None:
        endings = {"build": ".parquet", "profile": ".html"}
        if self.out is None:
            if self.mode == "build":
                raise click.UsageError("Missing --out FILE.parquet, where the table is written.")
        elif self.mode not in endings:
            raise click.UsageError(f"--{self.mode} writes no file: leave --out away.")
        elif self.is_partitioned:
            return
        elif self.out.suffix != endings[self.mode]:
            raise click.UsageError(f"Let {str(self.out)!r} end in {endings[self.mode]}.")

    @property
    def days(self) -> list[date]:
        """The dates asked for; none are the verb's choice."""
        return dates_asked(self.dates, self.first, self.last, self.every)


def features_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the verb's argument and options to it."""
    file = click.Path(path_type=Path)
    for option in (
        master_option,
        click.option("--engine", type=ENGINES, default="duckdb", show_default=True),
        click.option(
            "--check",
            "is_check",
            is_flag=True,
            help="Try your own features (`features` of tenure.toml); 1 when one of them fails.",
        ),
        click.option(
            "--profile",
            "is_profile",
            is_flag=True,
            help="Write a page: coverage, distribution, drift, relation to what came true.",
        ),
        click.option(
            "--list",
            "is_list",
            is_flag=True,
            help="List the features by group; of SOURCE, those that it bears.",
        ),
        click.option(
            "--describe",
            metavar="NAME",
            help="Print all that is declared of a feature, or of those whose names begin so.",
        ),
        click.option(
            "--every", type=click.Choice(["month", "week"]), default="month", show_default=True
        ),
        click.option("--to", "last", type=DAY, help="Last date of a series."),
        click.option("--from", "first", type=DAY, help="First date of a series."),
        click.option("--as-of", "dates", multiple=True, type=DAY, help="A date; may be repeated."),
        click.option(
            "--out",
            type=file,
            help="A .parquet file; with --engine spark also a folder, which gets one of Parquet"
            " for each date; with --profile an .html file.",
        ),
        click.argument("source", required=False),
    ):
        command = option(command)
    return command

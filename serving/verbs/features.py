"""What `tenure features` does without a label: build, list, describe and check."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from features.errors import FeatureError, TenureError
from serving.verbs.console import Session, step
from serving.verbs.features_asked import Asked

if TYPE_CHECKING:
    from features.checked import CheckedSource
    from features.declare import Feature


def answer(session: Session, asked: Asked) -> None:
    """Do what was asked for, but a profile, which knows outcomes."""
    match asked.mode:
        case "describe":
            describe(session, asked.describe or "")
        case "list":
            show(session, asked)
        case "check":
            check(session, asked)
        case _:
            build(session, asked)


def build(session: Session, asked: Asked) -> None:
    """Write the feature table of every active account at the dates, with its catalogue."""
    from features.build import write_feature_table
    from features.built import built
    from features.catalog import catalog_json
    from features.engine import Engine

    if asked.source is None or asked.out is None:
        raise click.UsageError("Missing SOURCE or --out.")
    session.warn_of_untried()
    engine = Engine(asked.engine)
    asked_days = asked.days
    if asked.is_partitioned:
        _build_parts(session, asked.source, asked_days, asked.out)
        return
    if asked.out.is_dir():
        raise TenureError(
            f"Expected a file for the table at {asked.out}, got a folder. "
            "Give --out another name, or take the folder away."
        )
    checked = session.checked(asked.source)
    days = asked_days or [checked.extracted_at.date()]
    with step("Building features"):
        made = built(checked, days, home=session.home, engine=engine, own=session.own)
        write_feature_table(made.table, catalog_json(made.features), asked.out)
    rows, count = len(made.table), len(made.features)
    text = f"{asked.out}: {rows:,} rows of {count} features at {len(days)} dates"
    if not rows:
        text += "\nNo account is active at these dates. " + _first_start(checked)
    session.answer(text, {"out": str(asked.out), "rows": rows, "dates": days})


def _first_start(checked: "CheckedSource") -> str:
    first = checked.read("subscriptions")["started_at"].min()
    return f"The first subscription starts on {first:%Y-%m-%d}: name a date after it."


def _build_parts(session: Session, source: str, days: list[date], out: Path) -> None:
    from features.built import refuse_the_future
    from features.catalog import available
    from features.engine import cluster
    from features.partitioned import write_feature_parts

    with cluster() as running:
        checked = session.checked(source, on=running)
        days = days or [checked.extracted_at.date()]
        refuse_the_future(checked, days)
        chosen = available(checked, session.own.features)
        with step("Building features on Spark"):
            write_feature_parts(checked, days, chosen, out, running)
    text = f"{out}: a folder of {len(chosen)} features for each of {len(days)} dates"
    session.answer(text, {"out": str(out), "dates": days})


def describe(session: Session, name: str) -> None:
    """Print all that is declared of one feature, or name those whose names begin so."""
    from features.describe import description, description_text, named

    everything = _everything(session)
    try:
        found = named(name, everything)
    except FeatureError as error:
        raise click.BadParameter(str(error), param_hint="'--describe'") from error
    told = [description(feature, everything) for feature in found]
    if len(told) == 1:
        text = description_text(told[0])
    else:
        text = "\n".join(f"{each['column']}  {each['description']}" for each in told)
    session.answer(text, told)


def show(session: Session, asked: Asked) -> None:
    """List the features by group; beside a source, those that it can bear."""
    from features.catalog import available, catalog_json

    everything = _everything(session)
    if asked.source is not None:
        everything = available(session.checked(asked.source), session.own.features)
    groups = dict.fromkeys(feature.group for feature in everything)
    lines = [f"{len(everything)} features"]
    for group in groups:
        own = [feature.column for feature in everything if feature.group == group]
        lines += ["", f"{group} ({len(own)})", *(f"  {column}" for column in own)]
    session.answer("\n".join(lines), catalog_json(everything))


def check(session: Session, asked: Asked) -> None:
    """Try the company's own features on its source and on drawn companies."""
    from features.engine import Engine
    from features.own.checks import try_out
    from features.own.harvest import keep_passed

    if not session.own.features:
        raise FeatureError(
            "Expected features of your own to check, got none. "
            'Name their files in tenure.toml: features = ["./our_features.py"]'
        )
    checked = session.checked(session.source(asked.source))
    with step("Trying your features") as say:
        tried = try_out(session.own, checked, Engine(asked.engine), progress=say)
    session.answer(tried.text(), tried.to_json())
    tried.demand()
    keep_passed(session.own, session.home)


def _everything(session: Session) -> "tuple[Feature, ...]":
    from features.catalog import catalog

    return (*catalog(), *session.own.features)

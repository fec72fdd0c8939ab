"""Verbs that one part answers by itself; those that put parts together stand in `tenure.py`."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from serving.verbs.console import Session, as_json, sample_options, source_option, step


@click.command()
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A new folder.")
@sample_options
@as_json
def simulate(session: Session, out: Path, accounts: int, months: int, seed: int) -> None:
    """Write a sample company as a source folder, with the truth beside it."""
    from features.sources.sample.simulate import simulate as make

    with step("Making a sample company") as say:
        make(out, accounts=accounts, months=months, seed=seed, progress=say)
    session.answer(f"{out} is a source: tenure validate {out}", {"source": str(out), "seed": seed})


@click.command()
@click.argument("source")
@click.option(
    "--limit",
    default=0.05,
    show_default=True,
    type=click.FloatRange(0, 1),
    help="Largest share of broken rows of a table.",
)
@as_json
def validate(session: Session, source: str, limit: float) -> None:
    """Check a source against the contract, and set broken rows aside with their reason."""
    from features.checked import verify
    from features.sources.report import report_json, report_text

    checked = session.checked(source, limit)
    verify(checked, checked.files)
    session.answer(report_text(checked), json.loads(report_json(checked)))


@click.command()
@click.argument("model", type=click.Choice(["churn", "expansion"]))
@as_json
def rollback(session: Session, model: str) -> None:
    """Give the previous champion its place back, and the service the scores that it made last."""
    from serving.publishing.going_back import serve_model

    version = session.registry.rollback(model)
    served = serve_model(session.store, session.home, model, version)
    if served is None:
        tells = "it has scored no publication: tenure score publishes its scores"
    else:
        tells = f"publication {served.number} of {served.as_of:%Y-%m-%d} is in service"
    number = served and served.number
    document = {"model": model, "version": version, "publication": number}
    session.answer(f"{model} {version} is the champion again; {tells}", document)


@click.command()
@click.option("--serve", "number", type=click.IntRange(1), help="Put this one in service.")
@as_json
def publications(session: Session, number: int | None) -> None:
    """List the publications, newest first; or put an earlier one in service again."""
    from serving.publishing.going_back import number_in_service, serve_publication
    from serving.publishing.publication import publications as published

    if number is not None:
        serve_publication(session.store, session.home, number)
    served = number_in_service(session.home)
    rows: list[dict[str, Any]] = [
        {
            "number": each.number,
            "as_of": each.as_of,
            "published_at": each.published_at,
            "accounts": each.accounts,
            "models": {model.model: model.model_version for model in each.models},
            "in_service": each.number == served,
        }
        for each in published(session.store)
    ]
    lines = [
        f"{row['number']:>5}  {row['as_of']:%Y-%m-%d}  {row['accounts']:>8} accounts  "
        f"{', '.join(f'{name} {version}' for name, version in row['models'].items())}"
        f"{'  in service' if row['in_service'] else ''}"
        for row in rows
    ]
    session.answer("\n".join(lines) or "There is no publication yet: tenure score", rows)


@click.command()
@as_json
def models(session: Session) -> None:
    """List the models there are, which is champion and which challenger."""
    found = session.registry.models()
    lines = [
        f"{each.model} {each.version}  {', '.join(each.aliases) or '-'}  {each.created_at:%Y-%m-%d}"
        for each in found
    ]
    none = "There is no model yet: tenure train churn"
    session.answer("\n".join(lines) or none, [each.to_json() for each in found])


@click.command()
@source_option
@click.option("--publication", "number", type=click.IntRange(1), help="Default: the newest.")
@click.option(
    "--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The last publication of this date."
)
@click.option("--account", "account_id", help="Compare this account only.")
@as_json
def replay(
    session: Session,
    source: str | None,
    number: int | None,
    as_of: datetime | None,
    account_id: str | None,
) -> None:
    """Compute published scores again from what was known at their date, and compare the bytes.

    All that became known at that date or later is deleted from the source first.
    """
    from serving.publishing.replay import asked_for
    from serving.publishing.replay import replay as again

    if number is not None and as_of is not None:
        raise click.UsageError("--publication and --as-of both name a publication: give one.")
    publication = asked_for(session.store, number, as_of and as_of.date())
    checked = session.checked(session.source(source))
    with step(f"Computing publication {publication.number} again"):
        replayed = again(
            checked,
            publication,
            session.store,
            session.home,
            own=session.own,
            account_id=account_id,
        )
    session.answer(replayed.text(), replayed.to_json())
    replayed.demand()


@click.command()
@click.option("--port", type=click.IntRange(0, 65535), help="Default: 3000, or tenure.toml's.")
@click.option("--workers", type=click.IntRange(min=1), help="Processes. Default: 1, or the same's.")
def serve(port: int | None, workers: int | None) -> None:
    """Serve the HTTP interface and the pages on this machine."""
    from serving.service import serve as run

    run(Session().settings, port, workers)


ON_THEIR_OWN = (simulate, validate, rollback, models, publications, replay, serve)

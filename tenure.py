"""The command line: the one place where all parts meet; each verb is a short list of calls."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from features.errors import TenureError
from features.garbage import collect_rarely
from features.home import private
from serving.verbs.audit_log import audit_log
from serving.verbs.backup import backup, restore
from serving.verbs.console import (
    Session,
    as_json,
    ended_as_promised,
    figures,
    sample_options,
    source_option,
    step,
)
from serving.verbs.crm import crm
from serving.verbs.erase import erase
from serving.verbs.features_asked import FEATURES_EXAMPLES, Asked, features_options
from serving.verbs.feedback import feedback
from serving.verbs.playbooks import playbooks
from serving.verbs.score import TOP, WIDTH, released_now, score
from serving.verbs.single import ON_THEIR_OWN
from serving.verbs.table_asked import (
    AUDIT_EXAMPLES,
    AUDIT_HELP,
    TableAsked,
    accept_option,
    table_options,
)
from serving.verbs.tokens import tokens
from serving.verbs.train_asked import TRAIN_EXAMPLES, TRAIN_HELP, demand_together, training_options
from serving.verbs.users import how_to_open, users

if TYPE_CHECKING:
    from features.built import Built
    from features.poison import Poisoned
    from models.gate import GateReport
    from models.question import Question
    from training.audit.finding import Audited
    from training.register import Registered
    from training.tune import Budget

MODELS = click.Choice(["churn", "expansion", "contraction"])
SERVED = click.Choice(["churn", "expansion"])
QUICK_ORIGINS = 3  # the first look shall come soon; `tenure backtest` rolls over all


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="tenure")
def cli() -> None:
    """Who leaves, who grows, and what to do about it this week.

    Start with `tenure quickstart`. On your own data: validate, train, promote, score, serve.
    Settings come from tenure.toml and TENURE_* variables; TENURE_HOME is where everything is kept.
    """


OTHERS = (score, tokens, users, playbooks, audit_log, backup, restore, erase, crm, feedback)
for verb in (*ON_THEIR_OWN, *OTHERS):
    cli.add_command(verb)


@cli.command()
@click.option("--serve", "then_serve", is_flag=True, help="Go on to serve the work list.")
@sample_options
@as_json
def quickstart(
    session: Session,
    then_serve: bool,  # noqa: FBT001 - click hands each option over as an argument
    accounts: int,
    months: int,
    seed: int,
) -> None:
    """Make a sample company, train and test its models, and show whom to call first."""
    from features.poison import poison
    from features.sources.sample.simulate import simulate as make
    from models.questions import QUESTIONS
    from serving.verbs import terminal

    _ = session.playbook  # a wrong file is said before anything is done
    folder = session.sample
    with step("Making a sample company") as say:
        make(folder, accounts=accounts, months=months, seed=seed, progress=say)
    built = session.history(str(folder))
    with step("Holding the features against the past as it was known"):
        poisoned = poison(built)
    gates, tested = {}, {}
    for name in ("churn", "expansion"):
        registered = _trained(session, built, QUESTIONS[name], poisoned=poisoned)
        gates[name] = _judged(session, built, QUESTIONS[name], registered.version)
        if name == "churn":
            gates[name].demand()  # there is no list without it
        tested[name] = _backtested(
            session, built, QUESTIONS[name], str(folder), limit=QUICK_ORIGINS
        )
    released = released_now(session, built.source)
    lines = [
        "\nWhom to call first:",
        terminal.text(released, TOP, WIDTH),
        "\nHow far to trust it (back-test on later, unseen dates; 95 % intervals):",
        *(figures(name, document["metrics"]) for name, document in tested.items()),
        *(report.text() for report in gates.values() if not report.passed),
        f"\n{how_to_open(session)}",
    ]
    document = {"backtests": tested, "worklist": terminal.records(released, TOP)}
    session.answer("\n".join(lines), document)
    if then_serve:
        from serving.service import serve as run

        run(session.settings, workers=1)  # this process has threads by now, and cannot be forked


@cli.command(epilog=FEATURES_EXAMPLES)
@features_options
@as_json
def features(session: Session, **options: Any) -> None:  # noqa: ANN401 - Asked says their types
    """Build the feature table of every active account at the dates, with its catalogue.

    Or, without a table: --list and --describe tell what the features are, --profile shows how they
    are filled, drift and relate to what came true, and --check tries features of your own.
    """
    from serving.verbs.features import answer

    asked = Asked(**options)
    if asked.mode == "profile":
        _profiled(session, asked)
    else:
        answer(session, asked)


@cli.command(help=TRAIN_HELP, epilog=TRAIN_EXAMPLES)
@click.argument("model", type=MODELS)
@source_option
@table_options
@training_options
@as_json
def train(
    session: Session,
    model: str,
    source: str | None,
    tune_minutes: float | None,
    version: str | None,
    **options: Any,  # noqa: ANN401 - TableAsked says their types
) -> None:
    """Train a model, or a version of one again."""
    from models.questions import QUESTIONS

    asked = TableAsked(**options)
    demand_together(asked, tune_minutes, version)
    if version is not None:
        _reproduced(session, model, version, source, asked.table)
        return
    if asked.table is None:
        from training.prepare import demand_enough

        built = session.history(source, partial(demand_enough, question=QUESTIONS[model]))
        registered = _trained(session, built, QUESTIONS[model], tune_minutes, asked.accept)
    else:
        registered = _trained_on_table(session, QUESTIONS[model], asked.table, asked, tune_minutes)
    said = [figures(model, registered.document["metrics"]), *registered.remarks]
    session.answer("\n".join(said), registered.document)


@cli.command(help=AUDIT_HELP, epilog=AUDIT_EXAMPLES)
@click.argument("model", type=MODELS, default="churn")
@source_option
@table_options
@as_json
def audit(
    session: Session,
    model: str,
    source: str | None,
    **options: Any,  # noqa: ANN401 - TableAsked says their types
) -> None:
    """Make the leakage audit, as each training does."""
    from models.questions import QUESTIONS

    found = _audited(session, QUESTIONS[model], source, TableAsked(**options))
    session.answer(found.text(), found.to_json())
    found.demand()


@cli.command()
@click.argument("model", type=MODELS)
@source_option
@as_json
def backtest(session: Session, model: str, source: str | None) -> None:
    """Train at past dates, test on what followed, and write a report."""
    from models.questions import QUESTIONS

    found = _backtested(session, session.history(source), QUESTIONS[model], session.source(source))
    said = [
        figures(model, found["metrics"]),
        *(figures(f"  {run['origin']}", run) for run in found["origins"]),
        f"Report: {found['report']}",
    ]
    session.answer("\n".join(said), found)


@cli.command()
@click.argument("model", type=SERVED)
@source_option
@click.option("--version", help="Default: the newest challenger.")
@accept_option
@as_json
def promote(
    session: Session, model: str, source: str | None, version: str | None, accept: tuple[str, ...]
) -> None:
    """Make the challenger the champion, if it passes its gates."""
    from models.questions import QUESTIONS
    from models.standing import CHALLENGER
    from training.register import demand_of_a_source

    version = version or session.registry.version_of(model, CHALLENGER)
    if version is None:
        raise TenureError(f"Expected a challenger of {model}, got none. Run: tenure train {model}")
    demand_of_a_source(session.registry.fetch(model, version))
    built = session.history(source)
    report = _judged(session, built, QUESTIONS[model], version, accept)
    session.answer(report.text(), report.to_json())
    report.demand()


@cli.command()
@source_option
@as_json
def monitor(session: Session, source: str | None) -> None:
    """Compare past scores with what came true, and today's accounts with those of training."""
    from datetime import UTC, datetime

    from models.questions import QUESTIONS
    from serving.monitored import keep
    from serving.publishing.publication import past_scores
    from training.monitor import monitor as watch

    history = session.history(source)
    today, past = session.today(history.source), past_scores(session.store)
    champions = [*filter(None, map(session.registry.champion, QUESTIONS))]
    reports = [watch(past, history.source, each, history.table, today.table) for each in champions]
    found = [report.to_json() for report in reports]
    keep(session.home, datetime.now(UTC).replace(tzinfo=None), history.source.extracted_at, found)
    said = [report.text() for report in reports] or ["There is no champion yet: tenure promote"]
    session.answer("\n\n".join(said), found)


def _profiled(session: Session, asked: Asked) -> None:
    from training.profile import profile
    from training.profile_page import write_profile

    built = session.built(asked.source, asked.days)
    with step("Profiling the features") as say:
        profiled = profile(built, progress=say)
        page = write_profile(profiled, asked.out or private(session.home.reports) / "profile.html")
    session.answer(profiled.text(page), profiled.to_json() | {"out": str(page)})


def _audited(
    session: Session, question: "Question", source: str | None, asked: TableAsked
) -> "Audited":
    if asked.table is not None:
        from training.laid_out import audit_table
        from training.table_file import read_table

        with step(f"Auditing {asked.table.name}"):
            return audit_table(read_table(asked.table), question, asked)
    from models.asked import any_asks_for_touches
    from models.questions import QUESTIONS
    from training.run import audit as look

    session.warn_of_untried()
    # The same features as a training's, so that what was built for one serves the other.
    built = session.built(source, touches=any_asks_for_touches(QUESTIONS.values()))
    with step(f"Auditing {question.name}"):
        return look(built, question, accept=asked.accept)


def _trained(
    session: Session,
    built: "Built",
    question: "Question",
    tune_minutes: float | None = None,
    accept: Sequence[str] = (),
    poisoned: "Poisoned | None" = None,
) -> "Registered":
    from training.capacity import Economics
    from training.register import register
    from training.run import train as fit

    budget = _budget(session, tune_minutes)
    with step(f"Training {question.name}") as say:
        trained = fit(
            built,
            question,
            budget=budget,
            accept=accept,
            poisoned=poisoned,
            economics=Economics(**session.settings.economics),
            progress=say,
        )
        say("registering it")
        return register(trained, session.registry)


def _trained_on_table(
    session: Session, question: "Question", path: Path, asked: TableAsked, minutes: float | None
) -> "Registered":
    from training.register import register_table
    from training.table import train_table
    from training.table_file import read_table

    budget = _budget(session, minutes)
    with step(f"Training {question.name} on {path.name}") as say:
        trained = train_table(read_table(path), question, asked, budget=budget, progress=say)
        return register_table(trained, path, session.registry, question, asked)


def _budget(session: Session, tune_minutes: float | None) -> "Budget | None":
    """Give what a search may take, once the registry that a training ends in is known to be up."""
    from training.tune import Budget

    session.registry.demand_up()
    return Budget(tune_minutes, session.home.tuning) if tune_minutes else None


def _reproduced(
    session: Session, model: str, version: str, source: str | None, table: Path | None
) -> None:
    from models.made_from import History
    from training.reproduce import Kept, reproduce, reproduce_table

    kept = Kept.of(session.registry, model, version)
    data = kept.made_from.data
    if table is None and isinstance(data, History):
        checked = session.checked_before(source, data.fingerprint)
        with step(f"Training {kept.name} again") as say:
            again = reproduce(kept, checked, own=session.own, progress=say)
    else:
        with step(f"Training {kept.name} again"):
            again = reproduce_table(kept, table)
    session.answer(again.text(), again.to_json())
    again.demand()


def _judged(
    session: Session,
    built: "Built",
    question: "Question",
    version: str,
    accept: Sequence[str] = (),
) -> "GateReport":
    """Compute the gates; a version that passes them is the champion from here on."""
    from training.prepare import labelled_rows
    from training.register import judge
    from training.slices import described

    with step(f"Holding {question.name} {version} against its gates"):
        rows = described(labelled_rows(built, question), built.source)
        report = judge(question.name, version, session.registry, rows, accept)
        if report.passed:
            session.registry.promote(question.name, version, report)
    return report


def _backtested(
    session: Session, built: "Built", question: "Question", source: str, limit: int = 6
) -> dict[str, Any]:
    from training.backtest import backtest as roll
    from training.backtest_page import backtest_document
    from training.beside_oracle import beside_oracle
    from training.capacity import Economics, Team

    with step(f"Back-testing {question.name}") as say:
        champion = session.registry.champion(question.name)
        team = Team(economics=Economics(**session.settings.economics))
        result = roll(built, question, champion=champion, team=team, limit=limit, progress=say)
        result = beside_oracle(result, Path(source))
        folder = private(session.home.reports) / f"backtest-{question.name}"
        data = {"source": built.source.fingerprint}
        return backtest_document(result, folder, data, session.registry)


def main() -> None:
    """Run a verb; 0 on success, 1 with one clear line on a failure, 2 on wrong usage."""
    collect_rarely()
    with ended_as_promised():
        cli.main(prog_name="tenure", standalone_mode=False)


if __name__ == "__main__":
    main()

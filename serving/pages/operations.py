"""What an operator looks at: what is in service and how old, and a plain word on what is wrong."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal

from markupsafe import Markup
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.api.readiness import look
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.monitored import Calibration, Drift, Figures, Monitored, Report, last
from serving.pages.cookies import session_of
from serving.pages.nav import may_open
from serving.pages.paths import OPERATIONS
from serving.pages.render import Render, code, moment, said
from serving.pages.texts import say
from serving.pages.work_list import day
from serving.parts import Parts
from serving.publishing.publication import Publication, PublishedModel, publications
from serving.snapshots.loaded import InService

Level = Literal["ok", "unknown", "look", "wrong"]
LEVELS: tuple[Level, ...] = ("ok", "unknown", "look", "wrong")
TO_DO: frozenset[Level] = frozenset({"look", "wrong"})
RUNS = 10
FARTHEST = 5
MOST_FIGURES = 40
MOST_HOURS = 48
"""An age of more is told in days."""
WRONG_FROM = 2.0
"""So many times as many events as expected, or as few, surely, are no matter of degree."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what it is, how it stands, that in a sentence, and the cure.

    Attributes
    ----------
    do
        What is to be done, with its command; empty where nothing is.
    """

    what: str
    level: Level
    text: str
    do: str = ""


def operations_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the route of the operator's page."""

    async def index(request: Request) -> Response:
        if not may_open(caller_of(request).principal.role, OPERATIONS):
            raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may not read it.")
        session = session_of(request)
        shown = await run_in_threadpool(_shown, parts)
        return render("operations.html", mark=session.mark if session else "", day=day, **shown)

    return [Route(OPERATIONS, index)]


def _shown(parts: Parts) -> dict[str, Any]:
    found = look(parts)
    in_service, runs = found.loaded.in_service, publications(parts.store)
    kept, now = last(parts.settings.home), parts.now()
    checks = [
        *_of_scores(parts, in_service),
        *_of_publication(in_service, found.loaded.problem, runs),
        *_of_parts(parts, found.missing),
        _of_monitoring(kept, now, timedelta(days=parts.settings.stale_after_days)),
    ]
    seen = {} if kept is None else {report.model: report for report in kept.reports}
    models = () if in_service is None else in_service.publication.models
    if in_service is not None:
        main = in_service.publication.list_horizon_days
        for model in models:
            bundle = in_service.bundles[model.model]
            checks += of_model(model, bundle.catalogue, seen.get(model.model), main)
    return {
        "checks": checks,
        "worst": worst(checks),
        "to_do": to_do(checks),
        "sample_as_of": _sample_day(in_service),
        "models": [_told(model, in_service) for model in models if in_service is not None],
        "runs": runs[:RUNS],
    }


def _sample_day(in_service: InService | None) -> date | None:
    if in_service is None or not in_service.publication.is_sample:
        return None
    return in_service.publication.as_of.date()


def to_do(checks: Iterable[Check]) -> dict[str, list[Check]]:
    """Give what is to be done, the worst first, each with the checks that ask for it."""
    asking = [check for check in checks if check.level in TO_DO and check.do]
    found: dict[str, list[Check]] = {}
    for check in sorted(asking, key=lambda check: -LEVELS.index(check.level)):
        found.setdefault(check.do, []).append(check)
    return found


def worst(checks: list[Check]) -> Level:
    """Give the worst level of some checks."""
    return max((check.level for check in checks), key=LEVELS.index, default="ok")


def _of_scores(parts: Parts, in_service: InService | None) -> Iterator[Check]:
    what = say("operations.scores")
    if in_service is None:
        do = said("operations.do_score")
        yield Check(what, "wrong", say("operations.no_scores"), do)
        return
    publication, most = in_service.publication, parts.settings.refuse_after_days
    do, hours = said("operations.do_extract"), parts.age_hours(publication.as_of)
    told = {"date": day(publication.as_of), "age": aged(hours)}
    if most and hours > most * 24:
        yield Check(what, "wrong", say("operations.too_old", **told, days=most), do)
    else:
        level = _age_level(parts, publication, hours)
        yield Check(what, level, say("operations.as_of", **told), do)
    if publication.origin is not None:
        at = publication.origin.extracted_at
        hours = parts.age_hours(at)
        text = said("operations.extracted", date=moment(at), age=aged(hours))
        yield Check(say("operations.data"), _age_level(parts, publication, hours), text, do)


def _age_level(parts: Parts, publication: Publication, hours: float) -> Level:
    return "look" if parts.is_stale(hours) and not publication.is_sample else "ok"


def aged(hours: float) -> str:
    """Say an age: in hours, and from two days on in days."""
    if hours < MOST_HOURS:
        return say("operations.hours", hours=round(hours))
    return say("operations.age_days", days=int(hours // 24))


def _of_publication(
    in_service: InService | None, problem: str | None, runs: tuple[Publication, ...]
) -> Iterator[Check]:
    what = say("operations.publication")
    if problem is not None:
        do = said("operations.do_refused")
        yield Check(what, "wrong", said("operations.refused", problem=code(problem)), do)
    if in_service is None:
        return
    number = in_service.publication.number
    newest = max(runs, key=lambda run: (run.as_of, run.number)).number if runs else number
    if problem is None and newest != number:
        text = say("operations.older", number=number, newest=newest)
        yield Check(what, "look", text, said("operations.do_older"))
    elif problem is None:
        yield Check(what, "ok", say("operations.newest", number=number))


def _of_parts(parts: Parts, missing: tuple[str, ...]) -> Iterator[Check]:
    what, do = say("operations.parts"), said("operations.do_parts")
    if missing:
        yield Check(what, "wrong", say("operations.missing", parts=", ".join(missing)), do)
    else:
        yield Check(what, "ok", say("operations.all_parts"))
    up, most = parts.metrics.alive(), parts.metrics.workers
    level: Level = "ok" if up >= most else "look"
    text = say("operations.up", up=up, workers=most)
    yield Check(say("operations.workers"), level, text, said("operations.do_workers"))


def _of_monitoring(kept: Monitored | None, now: datetime, most: timedelta) -> Check:
    what, do = say("operations.monitored"), said("operations.do_monitor")
    if kept is None:
        return Check(what, "look", say("operations.never"), do)
    told = {"date": moment(kept.at), "extracted": moment(kept.extracted_at)}
    if now - kept.at > most:
        return Check(what, "look", said("operations.long_ago", **told), do)
    return Check(what, "ok", said("operations.lately", **told))


def of_model(
    model: PublishedModel,
    catalogue: Iterable[Mapping[str, Any]],
    report: Report | None,
    main: int,
) -> Iterator[Check]:
    """Say how a model in service stands, by what was found of it last.

    Parameters
    ----------
    catalogue
        The entries of its features, which say how each is called in plain words.
    main
        The horizon that is told of first, in days.
    """
    name, version = model.model, model.model_version
    if report is None:
        return
    if report.model_version != version:
        text = say("operations.other_version", looked=report.model_version, version=version)
        yield Check(name, "look", text, said("operations.do_monitor"))
        return
    words = {entry["column"]: entry["description"].rstrip(".") for entry in catalogue}
    do = said("operations.do_drift", model=name)
    yield _drifted(say("operations.features_of", model=name), report.features, words, do)
    scores = {
        f"probability__{days}d": say("operations.probability", days=days)
        for days in model.horizons_days
    }
    yield _drifted(say("operations.scores_of", model=name), report.scores, scores, do)
    judged = {each.horizon_days: each for each in report.calibration}
    for days in sorted({*judged, *model.horizons_days}, key=lambda days: (days != main, days)):
        yield calibrated(name, judged.get(days) or Calibration(days, 0, 0, 0.0, Figures()))


def _drifted(what: str, drifts: tuple[Drift, ...], words: Mapping[str, str], do: str) -> Check:
    compared = [drift for drift in drifts if drift.level != "unknown"]
    far = [drift for drift in drifts if drift.level == "far"]
    moved = [drift for drift in drifts if drift.level == "moved"]
    counts = {"far": len(far), "moved": len(moved), "compared": len(compared)}
    if not compared:
        return Check(what, "unknown", say("operations.nothing_compared"))
    text = said("operations.drift", **counts)
    if not far:
        return Check(what, "ok", text)
    named = Markup("; ").join(_named(drift.column, words) for drift in far[:FARTHEST])
    farthest = said("operations.farthest", columns=named)
    return Check(what, "look", Markup("{} {}").format(text, farthest), do)


def _named(column: str, words: Mapping[str, str]) -> Markup:
    """Name a column in plain words, which are English, with its own name beside them."""
    own = Markup("<code>{}</code>").format(column)
    if column not in words:
        return own
    return Markup('<span lang="en">{}</span> ({})').format(words[column], own)


def calibrated(model: str, found: Calibration) -> Check:
    """Say whether as many came as the probabilities had expected."""
    what = say("operations.calibration_of", model=model, days=found.horizon_days)
    do = said("operations.do_train", model=model)
    if not found.rows:
        return Check(what, "unknown", say("operations.none_judged"))
    told = {"events": found.events, "expected": f"{found.expected:.1f}", "rows": found.rows}
    ratio = found.figures.observed_over_expected
    if ratio is None or ratio.low is None or ratio.high is None:
        return Check(what, "unknown", say("operations.too_few", **told))
    if ratio.low > 1:
        level: Level = "wrong" if ratio.low >= WRONG_FROM else "look"
        return Check(what, level, say("operations.more", **told), do)
    if ratio.high < 1:
        level = "wrong" if ratio.high <= 1 / WRONG_FROM else "look"
        return Check(what, level, say("operations.fewer", **told), do)
    return Check(what, "ok", say("operations.in_line", **told))


def _told(model: PublishedModel, in_service: InService) -> dict[str, Any]:
    bundle = in_service.bundles[model.model]
    metrics: Mapping[str, Any] = model.about.get("metrics", {})
    numbers = [(name, value) for name, value in metrics.items() if isinstance(value, int | float)]
    return {
        "model": model.model,
        "version": model.model_version,
        "trained_at": bundle.trained_at,
        "first": bundle.as_of_range[0],
        "last": bundle.as_of_range[1],
        "features": len(bundle.features),
        "base_rates": bundle.base_rates,
        "figures": sorted(numbers)[:MOST_FIGURES],
        "more": max(0, len(numbers) - MOST_FIGURES),
    }

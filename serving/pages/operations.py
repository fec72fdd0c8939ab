"""What an operator looks at: what is in service and how old, and a plain word on what is wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any, Literal

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.api.readiness import look
from serving.api.refusal import RefusedError
from serving.api.response import caller_of
from serving.monitored import Calibration, Drift, Monitored, Report, last
from serving.pages.cookies import session_of
from serving.pages.nav import may_open
from serving.pages.paths import OPERATIONS
from serving.pages.render import Render
from serving.pages.texts import say
from serving.pages.work_list import day
from serving.parts import Parts
from serving.publishing.publication import Publication, PublishedModel, publications
from serving.snapshots.loaded import InService

Level = Literal["ok", "look", "wrong"]
LEVELS: tuple[Level, ...] = ("ok", "look", "wrong")
RUNS = 10
FARTHEST = 5
MOST_FIGURES = 40
WRONG_FROM = 2.0
"""So many times as many events as expected, or as few, surely, are no matter of degree."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: what it is, how it stands, and that in a sentence."""

    what: str
    level: Level
    text: str


def operations_routes(parts: Parts, render: Render) -> list[Route]:
    """Give the route of the operator's page."""

    async def index(request: Request) -> Response:
        if not may_open(caller_of(request).principal.role, OPERATIONS):
            raise RefusedError(HTTPStatus.FORBIDDEN, "forbidden", "This login may not read it.")
        session = session_of(parts, request)
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
    models = () if in_service is None else in_service.publication.models
    seen = {} if kept is None else {report.model: report for report in kept.reports}
    for model in models:
        checks += of_model(model.model, model.model_version, seen.get(model.model))
    return {
        "checks": checks,
        "worst": worst(checks),
        "models": [_told(model, in_service) for model in models if in_service is not None],
        "runs": runs[:RUNS],
    }


def worst(checks: list[Check]) -> Level:
    """Give the worst level of some checks."""
    return max((check.level for check in checks), key=LEVELS.index, default="ok")


def _of_scores(parts: Parts, in_service: InService | None) -> Iterator[Check]:
    what = say("operations.scores")
    if in_service is None:
        yield Check(what, "wrong", say("operations.no_scores"))
        return
    publication, most = in_service.publication, parts.settings.refuse_after_days
    told = _aged(parts, publication.as_of)
    if most and parts.age_hours(publication.as_of) > most * 24:
        yield Check(what, "wrong", say("operations.too_old", **told, days=most))
    else:
        yield Check(what, _age_level(parts, publication.as_of), say("operations.as_of", **told))
    if publication.origin is not None:
        at = publication.origin.extracted_at
        text = say("operations.extracted", **_aged(parts, at))
        yield Check(say("operations.data"), _age_level(parts, at), text)


def _age_level(parts: Parts, at: datetime) -> Level:
    return "look" if parts.is_stale(parts.age_hours(at)) else "ok"


def _aged(parts: Parts, at: datetime) -> dict[str, object]:
    return {"date": day(at), "hours": round(parts.age_hours(at))}


def _of_publication(
    in_service: InService | None, problem: str | None, runs: tuple[Publication, ...]
) -> Iterator[Check]:
    what = say("operations.publication")
    if problem is not None:
        yield Check(what, "wrong", say("operations.refused", problem=problem))
    if in_service is None:
        return
    number = in_service.publication.number
    newest = max(runs, key=lambda run: (run.as_of, run.number)).number if runs else number
    if problem is None and newest != number:
        yield Check(what, "look", say("operations.older", number=number, newest=newest))
    elif problem is None:
        yield Check(what, "ok", say("operations.newest", number=number))


def _of_parts(parts: Parts, missing: tuple[str, ...]) -> Iterator[Check]:
    what = say("operations.parts")
    if missing:
        yield Check(what, "wrong", say("operations.missing", parts=", ".join(missing)))
    else:
        yield Check(what, "ok", say("operations.all_parts"))
    up, most = parts.metrics.alive(), parts.metrics.workers
    level: Level = "ok" if up >= most else "look"
    yield Check(say("operations.workers"), level, say("operations.up", up=up, workers=most))


def _of_monitoring(kept: Monitored | None, now: datetime, most: timedelta) -> Check:
    what = say("operations.monitored")
    if kept is None:
        return Check(what, "look", say("operations.never"))
    told = {"date": day(kept.at), "extracted": day(kept.extracted_at)}
    if now - kept.at > most:
        return Check(what, "look", say("operations.long_ago", **told))
    return Check(what, "ok", say("operations.lately", **told))


def of_model(model: str, version: str, report: Report | None) -> Iterator[Check]:
    """Say how a model in service stands, by what was found of it last."""
    if report is None:
        return
    if report.model_version != version:
        told = {"looked": report.model_version, "version": version}
        yield Check(model, "look", say("operations.other_version", **told))
        return
    yield _drifted(say("operations.features_of", model=model), report.features)
    yield _drifted(say("operations.scores_of", model=model), report.scores)
    for each in report.calibration:
        yield calibrated(model, each)


def _drifted(what: str, drifts: tuple[Drift, ...]) -> Check:
    compared = [drift for drift in drifts if drift.level != "unknown"]
    far = [drift for drift in drifts if drift.level == "far"]
    moved = [drift for drift in drifts if drift.level == "moved"]
    counts = {"far": len(far), "moved": len(moved), "compared": len(compared)}
    if not compared:
        return Check(what, "ok", say("operations.nothing_compared"))
    text = say("operations.drift", **counts)
    if not far:
        return Check(what, "ok", text)
    names = ", ".join(drift.column for drift in far[:FARTHEST])
    farthest = say("operations.farthest", columns=names)
    return Check(what, "look", f"{text} {farthest}")


def calibrated(model: str, found: Calibration) -> Check:
    """Say whether as many came as the probabilities had expected."""
    what = say("operations.calibration_of", model=model, days=found.horizon_days)
    if not found.rows:
        return Check(what, "ok", say("operations.none_judged"))
    told = {"events": found.events, "expected": f"{found.expected:.1f}", "rows": found.rows}
    ratio = found.figures.observed_over_expected
    if ratio is None or ratio.low is None or ratio.high is None:
        return Check(what, "ok", say("operations.too_few", **told))
    if ratio.low > 1:
        level: Level = "wrong" if ratio.low >= WRONG_FROM else "look"
        return Check(what, level, say("operations.more", **told))
    if ratio.high < 1:
        level = "wrong" if ratio.high <= 1 / WRONG_FROM else "look"
        return Check(what, level, say("operations.fewer", **told))
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

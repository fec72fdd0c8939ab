"""Why there is no list to show, or an old one: said alike by every page that is made from it."""

from datetime import date
from typing import Any

from serving.api.refusal import RefusedError
from serving.parts import Parts
from serving.publishing.publication import Publication
from serving.store import listing


def shown_publication(parts: Parts) -> tuple[Publication | None, str]:
    """Give the publication to show; or None, and the key of what is said in its place."""
    if parts.watch.look().in_service is None:
        return None, "no_scores"
    try:
        publication = parts.scores_in_service().publication
    except RefusedError:
        return None, "too_old"
    if not listing.is_laid_out(parts.store, publication.number):
        return None, "not_laid_out"
    return publication, ""


def how_old(parts: Parts, publication: Publication) -> dict[str, Any]:
    """Give what `stale.html` reads: the day of a sample, or whether scores are marked as old."""
    hours = parts.age_hours(publication.as_of)
    return {
        "sample_as_of": publication.as_of.date() if publication.is_sample else None,
        "is_stale": parts.is_stale(hours) and not publication.is_sample,
        "age_days": round(hours / 24),
    }


def today(parts: Parts, publication: Publication) -> date:
    """Give the day that others are told from: of a sample company, whose data ends, its last."""
    return (publication.as_of if publication.is_sample else parts.now()).date()

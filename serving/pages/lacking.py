"""Why there is no list to show, or an old one: said alike by every page that is made from it."""

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
    """Give what `stale.html` reads: whether scores are marked as old, and their age in days."""
    hours = parts.age_hours(publication.as_of)
    return {"is_stale": parts.is_stale(hours), "age_days": round(hours / 24)}

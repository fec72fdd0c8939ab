"""Why there is no list to show: said alike by every page that is made from it."""

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

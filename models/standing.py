"""Where a version stands: its model's registered name, its aliases, the champions before."""

import json
from typing import Any

from features.errors import ModelError
from models.bundle import Bundle

CHALLENGER, CHAMPION, OF_A_TABLE = "challenger", "champion", "of_a_table"
"""Aliases: who asks to serve, who serves, and the newest model that a ready table gave."""
PREFIX = "tenure-"
_PREVIOUS = "previous_champions"


def registered_name(model: str) -> str:
    """Give the name that a model is registered by.

    Raises
    ------
    ModelError
        When the model's name is no word: it goes into MLflow's searches.
    """
    if not model.isidentifier():
        raise ModelError(f"Expected a model's name, as churn or expansion, got {model!r}.")
    return PREFIX + model


def alias_of(bundle: Bundle) -> str:
    """Give the alias of a new version: a model of a ready table takes no challenger's place.

    It knows the columns of its table alone, so that no service could fill them and no later date
    of a source could judge it.
    """
    return OF_A_TABLE if is_of_a_table(bundle) else CHALLENGER


def is_of_a_table(bundle: Bundle) -> bool:
    """Tell whether a model was trained on a ready table, whose columns come of no source."""
    groups = {entry.get("group") for entry in bundle.catalogue}
    return groups == {"table"}


def crown(
    client: Any,  # noqa: ANN401 - MLflow's client; only models.tracking imports MLflow
    model: str,
    version: str,
    present: str | None,
    gates: object,
) -> None:
    """Make a version the champion, and remember the present one and what the gates said."""
    name = registered_name(model)
    if present is not None and present != version:
        # The way back is written first: a crash between the two leaves the old champion.
        _remember(client, name, [*_previous(client, name), present])
    client.set_model_version_tag(name, version, "gates", json.dumps(gates))
    client.set_registered_model_alias(name, CHAMPION, version)


def step_back(
    client: Any,  # noqa: ANN401 - the same
    model: str,
    present: str | None,
) -> str:
    """Give the previous champion its place back, and name its version.

    Raises
    ------
    ModelError
        When no earlier champion is remembered.
    """
    name = registered_name(model)
    earlier = _previous(client, name)
    while earlier and earlier[-1] == present:
        earlier.pop()
    if not earlier:
        raise ModelError(
            f"Expected an earlier champion of {model} to go back to, got none. "
            "tenure models lists what there is."
        )
    client.set_registered_model_alias(name, CHAMPION, earlier[-1])
    _remember(client, name, earlier[:-1])
    return earlier[-1]


def _previous(
    client: Any,  # noqa: ANN401 - the same
    name: str,
) -> list[str]:
    found = client.search_registered_models(f"name = '{name}'")
    return list(json.loads(found[0].tags.get(_PREVIOUS, "[]"))) if found else []


def _remember(
    client: Any,  # noqa: ANN401 - the same
    name: str,
    versions: list[str],
) -> None:
    client.set_registered_model_tag(name, _PREVIOUS, json.dumps(versions))

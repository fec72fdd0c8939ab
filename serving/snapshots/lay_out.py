"""From a publication in the store to its snapshot: every answer is written before it is asked for.

What is served and what the store keeps are the same rows, so that a snapshot can be made again.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec
import pandas as pd
import pyarrow as pa

from features.errors import SnapshotError
from features.home import Home
from models.bundle import MANIFEST_FILE, Bundle, load
from models.golden import golden_set
from models.made_from import sha256_of
from serving.audit_log.account_keys import Pseudonyms
from serving.publishing.bundles import bundle_folder
from serving.publishing.publication import Publication
from serving.snapshots.snapshot import Record, Snapshot, write_snapshot
from serving.snapshots.told import account_scores
from serving.store import lookup
from serving.store.database import Store

FORMAT = 1
AGE = b',"age_hours":'
KEY = ("account_id", "as_of")


class About(msgspec.Struct, frozen=True):
    """What ``publication.json`` says.

    Attributes
    ----------
    bundles
        SHA-256 of the manifest of each model's bundle, by model.
    """

    format: int
    publication: Publication
    bundles: dict[str, str]


def lay_out(
    store: Store,
    home: Home,
    publication: Publication,
    bundles: Mapping[str, Bundle] | None = None,
    features: pd.DataFrame | None = None,
) -> str:
    """Write the snapshot of a publication that the store holds, and give its name.

    Parameters
    ----------
    bundles
        The models of its scores, by name; read from the home by default.
    features
        The feature rows that were scored: account_id, as_of, then the features. The columns that
        no model reads are left out; without them the snapshot holds none.

    Raises
    ------
    ModelError
        If a model cannot be read.
    StoreError
        If the database fails.
    """
    folders = {
        model.model: bundle_folder(home, model.model, model.model_version)
        for model in publication.models
    }
    models = bundles or {name: load(folder) for name, folder in folders.items()}
    manifests = {
        name: sha256_of((folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        for name, folder in folders.items()
    }
    return write_snapshot(
        home.served,
        publication.number,
        msgspec.json.encode(About(FORMAT, publication, manifests)),
        _records(store, publication),
        _rows(models, features),
        {name: golden_set(bundle).to_text() for name, bundle in models.items()},
    )


def about(snapshot: Snapshot) -> About:
    """Read what a snapshot says that it is of; raises SnapshotError where it cannot be read."""
    try:
        told = msgspec.json.decode(snapshot.about, type=About)
    except msgspec.DecodeError as error:
        raise _other_format(snapshot, str(error)) from error
    if told.format != FORMAT or {*told.bundles} != {*(m.model for m in told.publication.models)}:
        raise _other_format(snapshot, f"format {told.format}")
    return told


def _other_format(snapshot: Snapshot, got: str) -> SnapshotError:
    return SnapshotError(
        f"Expected {snapshot.folder} in format {FORMAT}, got {got}. "
        "Run `tenure score` to publish anew."
    )


def _records(store: Store, publication: Publication) -> Iterator[Record]:
    pseudonyms = Pseudonyms(store)
    csms = lookup.csms(store, publication.number)
    ids = [*csms]
    for first in range(0, len(ids), lookup.IDS_A_QUERY):
        some = ids[first : first + lookup.IDS_A_QUERY]
        names = dict(zip(some, pseudonyms.of(some), strict=True))
        for account_id, told in _told(store, publication, some):
            head, _, after = told.partition(AGE)
            rest = after[after.index(b",") :]
            yield Record(account_id, csms[account_id], names[account_id], head + AGE, rest)


def _told(
    store: Store, publication: Publication, account_ids: Sequence[str]
) -> Iterator[tuple[str, bytes]]:
    by_account: dict[str, list[lookup.Row]] = {}
    for row in lookup.scores_of(store, publication, account_ids):
        by_account.setdefault(row["account_id"], []).append(row)
    renewals = lookup.renewals_of(store, publication.number, account_ids)
    products = lookup.next_products_of(store, publication.number, account_ids)
    for one, rows in by_account.items():
        told = account_scores(one, rows, publication.as_of, renewals.get(one), products.get(one))
        yield one, msgspec.json.encode(told)


def _rows(bundles: Mapping[str, Bundle], features: pd.DataFrame | None) -> pa.Table:
    if features is None:
        return pa.table({"account_id": pa.array([], pa.string())})
    read = {name for bundle in bundles.values() for name in bundle.features}
    chosen = [name for name in features.columns if name in read or name in KEY]
    return pa.Table.from_pandas(features[chosen], preserve_index=False)

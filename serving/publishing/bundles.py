"""Where the models lie that are in service, or were."""

import re
from pathlib import Path

from features.errors import ModelError
from features.held import held_folder
from features.home import Home, private
from models.bundle import Bundle, load, save
from models.lock import moved
from serving.snapshots.snapshot import sync

FOLDER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def bundle_folder(home: Home, model: str, version: str) -> Path:
    """Name the folder of a model in service; raises ModelError for a name that is no folder's."""
    for name in (model, version):
        if not FOLDER_NAME.fullmatch(name):
            raise ModelError(
                f"Expected a model name and version of letters, digits, '.', '_' and '-', "
                f"got {name!r}. Register the model under another one."
            )
    return home.bundles / model / version


def keep_bundle(home: Home, model: str, bundle: Bundle) -> Path:
    """Write a model where the service loads it from, aside first; one that is there stays."""
    folder = bundle_folder(home, model, bundle.version)
    if folder.exists():
        if load(folder).digest != bundle.digest:
            raise ModelError(
                f"Expected {folder} to hold the model that is scored with, got another one of "
                "that version. Move that folder away and score again."
            )
        return folder
    parent = private(private(home.bundles) / model)
    with held_folder(parent, f".{bundle.version}.") as aside:
        save(bundle, aside)
        for path in (*aside.iterdir(), aside):
            sync(path)
        moved(aside, folder)
        sync(parent)
    return folder

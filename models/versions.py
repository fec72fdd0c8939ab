"""One registered version, and what was kept with it."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from features.errors import ModelError
from models.bundle import Bundle
from models.golden import GOLDEN_FILE, Golden, golden_from_text
from models.logged import DIGEST, GOLDEN, MADE_FROM, ROOT
from models.made_from import MadeFrom, made_from_text
from models.record import AUDIT_FILE, BUNDLE_FOLDER, MADE_FROM_FILE, AuditRecord
from models.standing import registered_name
from models.tracking import Tracking


@dataclass(frozen=True)
class Version:
    """One version of a model in the registry.

    Attributes
    ----------
    tracking:
        The place that keeps it.
    model, version:
        ``churn`` or the like, and the registry's number.
    run_id:
        The run that holds its files.
    tags:
        Digests of what was kept, as `models.logged` writes them.
    """

    tracking: Tracking
    model: str
    version: str
    run_id: str
    tags: Mapping[str, str]

    @classmethod
    def of(cls, tracking: Tracking, model: str, version: str) -> "Version":
        """Look a version up.

        Raises
        ------
        ModelError
            When there is no such version.
        """
        with tracking.client() as client:
            found = client.search_model_versions(f"name = '{registered_name(model)}'")
        for each in found:
            if str(each.version) == str(version):
                return cls(tracking, model, str(version), str(each.run_id), each.tags)
        known = ", ".join(str(each.version) for each in found) or "none"
        raise ModelError(
            f"Expected a version of {model} in the registry, got {version}; there are: {known}. "
            f"Run tenure train {model}, or name one of those."
        )

    @property
    def name(self) -> str:
        """Model and number, for people."""
        return f"{self.model} {self.version}"

    def bundle_into(self, aside: str) -> Path:
        """Fetch the bundle's files into a folder of this machine, and give where they lie."""
        return self.tracking.download(self.run_id, f"{ROOT}/{BUNDLE_FOLDER}", aside)

    def demanded(self, bundle: Bundle, cure: str) -> Bundle:
        """Give a bundle its number.

        Raises
        ------
        ModelError
            When it is not the one that was registered.
        """
        registered = self.tags.get(DIGEST)
        if bundle.digest != registered:
            raise ModelError(
                f"Expected {self.name} with digest {registered}, got {bundle.digest}. {cure}"
            )
        return bundle.with_version(self.version)

    def audit(self) -> AuditRecord:
        """Give the leakage audit."""
        return AuditRecord.from_json(self._text(AUDIT_FILE))

    def golden(self) -> Golden:
        """Give the golden set.

        Raises
        ------
        ModelError
            When it has none, or that was changed.
        """
        registered = self._digest(GOLDEN, f"a golden set of {self.name}", "such sets")
        return golden_from_text(self._text(GOLDEN_FILE), registered, self.name)

    def made_from(self) -> MadeFrom:
        """Give what it was made from.

        Raises
        ------
        ModelError
            When it has no such record, or that was changed.
        """
        what = f"a record of what {self.name} was made from"
        registered = self._digest(MADE_FROM, what, "such records")
        return made_from_text(self._text(MADE_FROM_FILE), registered, self.name)

    def _digest(self, tag: str, what: str, such: str) -> str:
        if tag not in self.tags:
            raise ModelError(
                f"Expected {what}, got a version older than {such}. Train it anew: "
                f"tenure train {self.model}"
            )
        return self.tags[tag]

    def _text(self, name: str) -> str:
        with tempfile.TemporaryDirectory(prefix="tenure-record-") as aside:
            kept = self.tracking.download(self.run_id, f"{ROOT}/{name}", aside)
            return kept.read_text(encoding="utf-8")

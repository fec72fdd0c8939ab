"""Where everything that Tenure makes lies: the one map of TENURE_HOME."""

from dataclasses import dataclass
from pathlib import Path


def private(folder: Path) -> Path:
    """Make a folder, unless it is there, that only its owner can look into: customers' data."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


@dataclass(frozen=True)
class Home:
    """The folders and files below TENURE_HOME; nothing is made by naming them."""

    root: Path

    @property
    def sample(self) -> Path:
        """The quickstart's sample company."""
        return self.root / "sample"

    @property
    def checked(self) -> Path:
        """Checked sources, one folder per fingerprint."""
        return self.root / "checked"

    @property
    def quarantine(self) -> Path:
        """Rows that broke the contract, one folder per check."""
        return self.root / "quarantine"

    @property
    def snapshots(self) -> Path:
        """Feature tables, one folder per build."""
        return self.root / "snapshots"

    @property
    def bundles(self) -> Path:
        """Model bundles, one folder per model and version."""
        return self.root / "bundles"

    @property
    def served(self) -> Path:
        """Snapshots of published scores, and the name of the one in service."""
        return self.root / "served"

    @property
    def reports(self) -> Path:
        """Reports for people: HTML and the figures behind it as JSON."""
        return self.root / "reports"

    @property
    def monitored(self) -> Path:
        """What the last monitoring found of the models in service."""
        return self.reports / "monitored.json"

    @property
    def own_features(self) -> Path:
        """Which feature files of one's own passed their check, one file per digest."""
        return self.root / "own-features"

    @property
    def playbooks(self) -> Path:
        """Plays and triggers of one's own, in place of the default."""
        return self.root / "playbooks.toml"

    @property
    def mlflow_database(self) -> Path:
        """SQLite file behind MLflow, unless MLFLOW_TRACKING_URI names a server."""
        return self.root / "mlflow.db"

    @property
    def tuning(self) -> Path:
        """Journals of tuning, one file per question and data."""
        return self.root / "tuning"

    @property
    def mlflow_artifacts(self) -> Path:
        """Artifacts of MLflow runs, unless a server keeps them."""
        return self.root / "mlartifacts"

    @property
    def store(self) -> Path:
        """SQLite file of scores, feedback, tokens and audit, unless a database is configured."""
        return self.root / "store.db"

    @property
    def audit_log(self) -> Path:
        """Who read which accounts: chains of rows, at least one file for each serving process."""
        return self.root / "audit-log"

    @property
    def erasure(self) -> Path:
        """What is kept of erased accounts, and where backups were written that may hold them."""
        return self.root / "erasure"

    @property
    def tombstones(self) -> Path:
        """The HMACs of erased accounts, and the key that they are under."""
        return self.erasure / "tombstones.json"

"""Which code made a model: the commit, whether files differ from it, and the lock's hash."""

import hashlib
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

UNKNOWN = "unknown"


@dataclass(frozen=True)
class Provenance:
    """The code behind a training.

    Attributes
    ----------
    commit:
        The checkout's commit, ``unknown`` outside a checkout or without git.
    is_dirty:
        Whether tracked files differ from the commit; False where the commit is unknown.
    lock:
        SHA-256 of the lock file, ``unknown`` where there is none.
    """

    commit: str
    is_dirty: bool
    lock: str


def provenance(root: Path | None = None) -> Provenance:
    """Look up the code's commit and lock; `root` is this package's checkout by default."""
    root = (root or Path(__file__).parent.parent).resolve()
    commit = _git(root, "rev-parse", "HEAD") if _is_checkout(root) else None
    lock = root / "requirements.lock"
    return Provenance(
        commit=commit or UNKNOWN,
        is_dirty=bool(commit and _git(root, "status", "--porcelain", "--untracked-files=no")),
        lock=hashlib.sha256(lock.read_bytes()).hexdigest() if lock.is_file() else UNKNOWN,
    )


def _is_checkout(root: Path) -> bool:
    # An installed package may lie inside somebody else's checkout, whose commit says nothing.
    top = _git(root, "rev-parse", "--show-toplevel")
    return top is not None and Path(top).resolve() == root


def _git(root: Path, *arguments: str) -> str | None:
    git = shutil.which("git")
    if git is None:
        return None
    answer = subprocess.run(  # noqa: S603 - git itself, with words from this module only
        [git, "-C", str(root), *arguments], capture_output=True, text=True, check=False
    )
    return answer.stdout.strip() if answer.returncode == 0 else None

"""A new model is loaded and run in a process of its own before a server takes it over.

LightGBM's reader dies of many a file that was changed; then the child dies, and not the server.
What passed is written down, so that no worker tries it again.
"""

import hashlib
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from features.errors import ModelError, TenureError
from features.home import Home, private
from models.bundle import MANIFEST_FILE
from models.lock import alone
from serving.snapshots.snapshot import OWNER_ONLY

CPU_SECONDS = 60
SECONDS = 180
MOST_BYTES = 4 << 30
MOST_TOLD = 400
PROJECT = Path(__file__).resolve().parents[2]
KEPT_VARIABLES = frozenset({"HOME", "LANG", "LC_ALL", "PATH", "TMPDIR", "NUMBA_CACHE_DIR"})
"""No other reaches the child: they may hold secrets."""
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
PASSED = "all answered as when they were published"


@dataclass(frozen=True)
class Candidate:
    """A model that is to be tried: its name and version, its bundle, and its golden set."""

    name: str
    folder: Path
    golden: Path

    def mark(self) -> str:
        """Name it, its golden set and the code that tries it, in one digest."""
        told = hashlib.sha256()
        for part in ((self.folder / MANIFEST_FILE).read_bytes(), self.golden.read_bytes()):
            told.update(hashlib.sha256(part).digest())
        told.update(f"{version('tenure')} {version('lightgbm')} {version('numba')}".encode())
        return told.hexdigest()


def demand_tried(home: Home, candidates: Sequence[Candidate]) -> None:
    """Have models loaded and run on their golden sets, those that were not before.

    Raises
    ------
    ModelError
        If one cannot be loaded, dies, takes too long or too much memory, or answers otherwise.
    """
    folder = private(private(home.served) / "tried")
    with alone(folder / ".lock"):
        new = {each.mark(): each for each in candidates}
        new = {mark: each for mark, each in new.items() if not (folder / mark).exists()}
        problem = _tried([*new.values()]) if new else None
        if problem is not None:
            raise ModelError(
                f"Expected {' and '.join(each.name for each in new.values())} to answer as when "
                f"they were published, got: {problem}. Restore them in {home.bundles}, or train "
                "them again."
            )
        for mark in new:
            (folder / mark).touch(mode=OWNER_ONLY)


def _tried(candidates: Sequence[Candidate]) -> str | None:
    """Try models in a child process, and give what is wrong with them; None: nothing."""
    places = [str(place) for each in candidates for place in (each.folder, each.golden)]
    try:
        child = subprocess.run(  # noqa: S603 - our own command
            [sys.executable, "-m", "serving.snapshots.trial", *places],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_environment(os.environ),
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {SECONDS} seconds"
    told = child.stdout.decode("utf-8", "replace").strip()
    if child.returncode == 0 and told == PASSED:
        return None
    if child.returncode < 0:
        return f"an end of the process that tried it, by signal {-child.returncode}"
    return told[:MOST_TOLD] or f"an end of the process that tried it, with {child.returncode}"


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    kept = {name: ours[name] for name in KEPT_VARIABLES if name in ours}
    return {**kept, **dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": str(PROJECT)}


def limit() -> None:
    """Bound what this process may take."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))


def run(folder: Path, golden: Path) -> None:
    """Load a model, run it on its golden set and explain a row, as the server will.

    Raises
    ------
    ModelError
        If it cannot be loaded, or answers otherwise.
    """
    from models.bundle import load  # noqa: PLC0415 - the limits stand before anything is loaded
    from serving.snapshots.warm import demand_golden, warmed  # noqa: PLC0415 - as above

    bundle = load(folder)
    text = golden.read_text(encoding="utf-8")
    demand_golden(bundle, text)
    warmed(bundle, text)


def main(arguments: list[str]) -> int:
    """Try models, and say on standard output what came of it."""
    limit()
    try:
        for folder, golden in zip(arguments[::2], arguments[1::2], strict=True):
            run(Path(folder), Path(golden))
    except Exception as error:  # noqa: BLE001 - whatever it was, the model is refused with it
        is_ours = isinstance(error, TenureError)  # what a package says may hold names of categories
        print(error if is_ours else type(error).__name__)  # noqa: T201 - how the parent learns of it
        return 1
    print(PASSED)  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""One small sample company, and two models of it, for all notebooks; and how a notebook is run."""

import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pytest

from features.built import Built, built, month_starts
from features.home import Home
from features.poison import Poisoned, poison
from features.sources.check import check
from features.sources.sample.simulate import simulate
from models.churn import CHURN
from models.registry import Registry
from training.fit import BoosterParams, LinearParams
from training.register import register
from training.run import train

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
Run = Callable[[str], SimpleNamespace]


@dataclass(frozen=True)
class Company:
    """A sample company, its home with two versions of the churn model, its features, tried."""

    folder: Path
    home: Home
    built: Built
    poisoned: Poisoned


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Company:
    root = tmp_path_factory.mktemp("notebooks")
    folder, home = root / "sample", Home(root / "home")
    simulate(folder, accounts=150, months=24, seed=3)
    source = check(str(folder), home=home)
    known = built(source, month_starts(source), home=home)
    built(source, [source.extracted_at.date()], home=home)  # what is scored today
    poisoned = poison(known)
    for params in (LinearParams(), BoosterParams(trees=40, leaves=3, rows_in_leaf=40)):
        register(train(known, CHURN, params=params, poisoned=poisoned), Registry(home))
    return Company(folder, home, known, poisoned)


@pytest.fixture(scope="module")
def run(sample: Company, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """Run a notebook from top to bottom, as `python notebooks/NAME.py` would; give its values."""

    def values(name: str) -> SimpleNamespace:
        with pytest.MonkeyPatch.context() as environment:
            environment.setenv("TENURE_HOME", str(sample.home.root))
            environment.setenv("TENURE_SOURCE", str(sample.folder))
            environment.setenv("MPLBACKEND", "Agg")
            environment.chdir(tmp_path_factory.mktemp("elsewhere"))
            found = runpy.run_path(str(NOTEBOOKS / f"{name}.py"))
        figures = [plt.figure(number) for number in plt.get_fignums()]
        for figure in figures:
            figure.canvas.draw()
        plt.close("all")
        return SimpleNamespace(**found, plots=figures)

    return values

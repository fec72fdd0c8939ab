"""Tuning: Optuna's door. Trials of a booster's parameters, judged on rows held out of the fit."""

import hashlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from features.errors import TooLittleDataError
from features.home import private
from models.trials import Trial
from training.fit import BoosterParams

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as Asked

Look = Callable[[BoosterParams], NDArray[np.float64]]
"""Fits with some parameters, and gives the calibrated log loss of each row that was held out."""

LATER = "on later dates"

SPACE: Mapping[str, tuple[float, float, bool]] = MappingProxyType(
    {
        "trees": (50, 600, True),
        "learning_rate": (0.02, 0.15, True),
        "leaves": (2, 31, True),
        "rows_in_leaf": (20, 500, True),
        "l2": (0.1, 100.0, True),
        "feature_share": (0.1, 1.0, False),
        "row_share": (0.5, 1.0, False),
    }
)
"""What is searched: lowest and highest value, and whether by its logarithm."""

_WHOLE = frozenset({"trees", "leaves", "rows_in_leaf"})
_STARTING_TRIALS = 8
_SECONDS = "seconds"
_STUDY = "tuning"


@dataclass(frozen=True)
class Budget:
    """How long to search, and where what was tried is kept.

    Attributes
    ----------
    minutes
        Of search in all: what earlier calls over the same data have spent counts too. The trial
        under way when they are over is finished.
    folder
        Holds one journal per question and data: text, a line for each thing that happened.
    clock
        Gives seconds.
    """

    minutes: float
    folder: Path
    clock: Callable[[], float] = field(default=time.monotonic, compare=False)


@dataclass(frozen=True)
class Tuned:
    """What tuning found: the parameters with the lowest loss, all that was tried, judged where."""

    params: BoosterParams
    trials: tuple[Trial, ...]
    where: str = LATER

    def sentence(self) -> str:
        """Say what was chosen, for people."""
        whole = [trial for trial in self.trials if trial.is_whole]
        best = min(whole, key=lambda trial: trial.log_losses[-1])
        found, usual = best.log_losses[-1], whole[0].log_losses[-1]
        spent = sum(trial.seconds for trial in self.trials) / 60
        chosen = (
            "the default is the best" if best.number == 0 else f"trial {best.number} is the best"
        )
        return (
            f"Tuned in {spent:.1f} minutes: {len(self.trials)} trials, "
            f"{len(self.trials) - len(whole)} of them given up early; {chosen}, log loss "
            f"{found:.4f} {self.where} against {usual:.4f} by default."
        )


def tune(
    looks: Sequence[Look],
    budget: Budget,
    *,
    about: Mapping[str, Any],
    default: BoosterParams | None = None,
    where: str = LATER,
    progress: Callable[[str], None] | None = None,
) -> Tuned:
    """Search for booster parameters with a low calibrated log loss on rows held out of the fit.

    The default is the first trial, so that nothing worse than it on these rows is chosen. A call
    over the same data goes on where the one before it ended, and one that was killed is taken up
    as if it had not been.

    Parameters
    ----------
    looks
        One for each past border, or fold: none may see what the model is tested on afterwards.
    about
        JSON values that name data, question and features: others are another study.
    where
        On which rows parameters are judged, for people.
    progress
        Is told of each trial.

    Raises
    ------
    TooLittleDataError
        Without a look: there is no later date to judge by.
    """
    if not looks:
        raise TooLittleDataError(
            "Expected at least one past date to tune on, with enough events before and some after "
            "it, got none. Train without --tune, or bring a longer history."
        )
    default = default or BoosterParams()
    with _interrupts_as_such():
        study = _study(budget.folder, {**about, "default": asdict(default)})
        _take_up(study, default)
        while (spent := _spent(study)) < budget.minutes * 60 or not _finished(study):
            _try(study, looks, default, budget.clock)
            if progress:
                progress(f"{_said(study, where)}, {spent / 60:.1f} of {budget.minutes:g} minutes")
    best: dict[str, Any] = study.best_trial.params
    finished = enumerate(_finished(study))
    trials = tuple(_tried(at, trial) for at, trial in finished)
    return Tuned(replace(default, **best), trials, where)


@contextmanager
def _interrupts_as_such() -> Iterator[None]:
    """Let an interrupt be one: Optuna's lock, cut short in its release, fails in another way."""
    try:
        yield
    except (OSError, RuntimeError) as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            cause = cause.__context__
        raise


def _study(folder: Path, about: Mapping[str, Any]) -> "Study":
    import optuna  # noqa: PLC0415 - imported late: only tuning needs it
    from optuna.storages import JournalStorage  # noqa: PLC0415 - the same
    from optuna.storages.journal import JournalFileBackend, JournalFileOpenLock  # noqa: PLC0415

    written = json.dumps([about, [(name, *bounds) for name, bounds in SPACE.items()]], default=str)
    name = hashlib.sha256(written.encode()).hexdigest()[:16]
    file = str(private(folder) / f"{name}.jsonl")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(file, JournalFileOpenLock(file))),
        study_name=_STUDY,
        pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTING_TRIALS),
        load_if_exists=True,
    )


def _take_up(study: "Study", default: BoosterParams) -> None:
    """Give up trials that a killed call left, and ask for the default first."""
    from optuna.trial import TrialState  # noqa: PLC0415 - imported late, see _study

    for left in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(left.number, state=TrialState.FAIL)
    if not _finished(study) and not study.get_trials(states=(TrialState.WAITING,)):
        study.enqueue_trial({name: getattr(default, name) for name in SPACE})


def _try(
    study: "Study", looks: Sequence[Look], default: BoosterParams, clock: Callable[[], float]
) -> None:
    """Run one trial: judge its parameters look by look, and give up what is worse than most."""
    from optuna.samplers import TPESampler  # noqa: PLC0415 - imported late, see _study
    from optuna.trial import TrialState  # noqa: PLC0415 - the same

    # A sampler seeded by what is finished asks the same of a study that was taken up again.
    study.sampler = TPESampler(
        seed=default.seed + len(_finished(study)), n_startup_trials=_STARTING_TRIALS
    )
    started = clock()
    trial = study.ask()
    searched: dict[str, Any] = {name: _suggested(trial, name) for name in SPACE}
    params = replace(default, **searched)
    seen: list[float] = []
    is_given_up = False
    for step, look in enumerate(looks):
        seen.extend(look(params))
        trial.report(float(np.mean(seen)), step)
        is_given_up = step + 1 < len(looks) and trial.should_prune()
        if is_given_up:
            break
    trial.set_user_attr(_SECONDS, clock() - started)
    if is_given_up:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, float(np.mean(seen)))


def _suggested(trial: "Asked", name: str) -> float:
    low, high, is_log = SPACE[name]
    if name in _WHOLE:
        return trial.suggest_int(name, int(low), int(high), log=is_log)
    return trial.suggest_float(name, low, high, log=is_log)


def _finished(study: "Study") -> list["FrozenTrial"]:
    from optuna.trial import TrialState  # noqa: PLC0415 - imported late, see _study

    ended = (TrialState.COMPLETE, TrialState.PRUNED)
    return study.get_trials(deepcopy=False, states=ended)


def _spent(study: "Study") -> float:
    return math.fsum(trial.user_attrs[_SECONDS] for trial in _finished(study))


def _tried(number: int, trial: "FrozenTrial") -> Trial:
    from optuna.trial import TrialState  # noqa: PLC0415 - imported late, see _study

    steps = sorted(trial.intermediate_values.items())
    return Trial(
        number=number,
        parameters=MappingProxyType(dict(trial.params)),
        log_losses=tuple(loss for _, loss in steps),
        is_whole=trial.state == TrialState.COMPLETE,
        seconds=float(trial.user_attrs[_SECONDS]),
    )


def _said(study: "Study", where: str) -> str:
    return f"trial {len(_finished(study))}: best log loss {where} {study.best_value:.4f}"

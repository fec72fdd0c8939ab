"""Folding a log loads Numba, but not what Numba would only look for."""

import subprocess
import sys
from importlib import import_module

import pytest

from features.fold.absent import absent

FOLDS = """
import sys
import numpy as np
from features.fold import compiled
codes = np.zeros(1, np.int32)
compiled.look_up(codes, codes, np.zeros((1, 64), np.int32), codes.copy())
print("numba" in sys.modules, "scipy.linalg" in sys.modules)
import scipy.linalg.cython_blas
from numba import njit
print(njit(lambda one: np.dot(one, one))(np.eye(2)).sum())
"""


def test_the_compiled_loops_run_without_scipy_and_leave_it_to_others():
    ended = subprocess.run(
        [sys.executable, "-c", FOLDS], check=False, capture_output=True, text=True
    )
    assert ended.stdout.split() == ["True", "False", "2.0"], ended.stderr


def test_a_module_is_absent_only_for_a_while(monkeypatch):
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with absent("wave"), pytest.raises(ModuleNotFoundError):
        import_module("wave")
    assert import_module("wave").open


def test_a_module_that_is_loaded_stays():
    with absent("sys"):
        assert import_module("sys") is sys

"""A model behind BentoML's typed interface, as its guide shows it: no token, no check, no log.

bentoml serve benchmarks.typed_predict:Predict   (TYPED_BOOSTER names a booster's text)
"""

import os

import bentoml
import lightgbm
import numpy as np


@bentoml.service
class Predict:
    """One booster."""

    def __init__(self) -> None:
        self.booster = lightgbm.Booster(model_file=os.environ["TYPED_BOOSTER"])
        self.names = self.booster.feature_name()

    @bentoml.api
    def predict(self, row: dict[str, float | None]) -> list[float]:
        """Give the probability of one row."""
        cells = np.array([[row[name] for name in self.names]], dtype=np.float64)
        return [float(each) for each in self.booster.predict(cells, num_threads=1)]

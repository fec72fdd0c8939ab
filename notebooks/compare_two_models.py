# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
# ---

# %% [markdown]
# # Compare two models
#
# The newest version of the registry against the one before, on rows that neither learned from, and
# what the gates would say.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from models.churn import CHURN
from models.reasons import importance
from serving.verbs.console import Session
from training.evaluate import measured, paired
from training.evidence import at_horizon
from training.gates import decide
from training.prepare import labelled_rows
from training.register import trial_of
from training.slices import described

FIGURES = ("auc", "average_precision", "brier", "log_loss", "calibration_error")

session = Session()
registry = session.registry
versions = [each for each in registry.models() if each.model == CHURN.name]
newer, older = versions[:2]
settings = pd.DataFrame({each.version: each.parameters for each in (older, newer)})
settings[settings[older.version] != settings[newer.version]]

# %% [markdown]
# ## The same later rows for both

# %%
built = session.history(None)
rows = described(labelled_rows(built, CHURN), built.source)
rival = registry.fetch(CHURN.name, older.version)
trial = trial_of(CHURN.name, newer.version, rival, registry, rows)
later, outcomes = trial.later, trial.outcomes
said = {
    newer.version: trial.probabilities,
    older.version: at_horizon(rival, later, trial.horizon_days),
}
groups = later["customer_group"].to_numpy(dtype=object)
print(f"{len(later):,} rows from {later['as_of'].min():%Y-%m-%d}, {outcomes.sum():.0f} losses")

# %% [markdown]
# ## Figures, and their difference
#
# Two intervals that overlap say little: both models meet the same easy and hard customers. The
# difference on the same draws says more. Where its interval holds 0, the rows do not tell.

# %%
found = {version: measured(outcomes, said[version], groups) for version in said}
figures = pd.DataFrame(
    {version: {name: found[version][name]["value"] for name in FIGURES} for version in said}
)
figures

# %%
difference = pd.DataFrame(paired(outcomes, said[newer.version], said[older.version], groups)).T
below, above = difference["value"] - difference["low"], difference["high"] - difference["value"]
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.errorbar(difference["value"], difference.index, xerr=[below, above], fmt="o", capsize=4)
axes.set(title=f"Version {newer.version} less version {older.version}")
axes.axvline(0, color="grey", linestyle="--")

# %% [markdown]
# ## Where they disagree
#
# Orange rows were lost. Above the line the newer model gave them the higher probability.

# %%
figure, axes = plt.subplots(figsize=(5, 5), layout="constrained")
for came, colour in ((0, "lightgrey"), (1, "tab:orange")):
    own = outcomes == came
    axes.scatter(said[older.version][own], said[newer.version][own], s=8, color=colour)
axes.axline((0, 0), slope=1, color="grey", linestyle="--")
axes.set(xlabel=f"version {older.version}", ylabel=f"version {newer.version}")

# %%
apart = later[["account_id", "as_of", "mrr"]].assign(
    older=said[older.version], newer=said[newer.version], churned=outcomes
)
widest = np.abs(apart["newer"] - apart["older"]).sort_values(ascending=False).index[:10]
apart.loc[widest]

# %% [markdown]
# ## What each looks at
#
# The mean absolute effect of each thing that is measured, in log odds.

# %%
looks_at = pd.DataFrame(
    {
        version: importance(registry.fetch(CHURN.name, version), later, trial.horizon_days)
        for version in said
    }
).fillna(0.0)
top = looks_at.sum(axis=1).sort_values().index[-12:]
figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
looks_at.loc[top].plot.barh(ax=axes)

# %% [markdown]
# ## What the gates say
#
# A gate that cannot be computed refuses. `tenure promote churn` computes the same against the
# champion, and only then changes who serves.

# %%
report = decide(trial)
print(report.text())

# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
# ---

# %% [markdown]
# # Train a model, and read its back-test
#
# What `tenure train churn` and `tenure backtest churn` do, step by step, with what to look at.

# %%
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from models.churn import CHURN
from serving.verbs.console import Session
from training.backtest import backtest
from training.backtest_page import backtest_document
from training.beside_oracle import beside_oracle
from training.capacity import Economics, Team
from training.register import register
from training.run import train

ORIGINS = 3  # enough for a first look; `tenure backtest` takes six
FIGURES = ("auc", "average_precision", "brier", "log_loss")

session = Session()
economics = Economics(**session.settings.economics)
built = session.history(None)

# %% [markdown]
# ## Train
#
# It is audited for leaks, fitted on the past, calibrated on later rows, and tested on the last
# dates. The registry keeps it as challenger; it serves nobody until `tenure promote` takes it.

# %%
trained = train(built, CHURN, economics=economics)
registered = register(trained, session.registry)
print(trained.audit.text())
print(*registered.remarks, sep="\n")

# %% [markdown]
# ## Back-test
#
# The same from several past dates, each with a model that knew only what was known then.

# %%
rolled = backtest(
    built,
    CHURN,
    champion=session.registry.champion(CHURN.name),
    team=Team(economics=economics),
    limit=ORIGINS,
    progress=print,
)
rolled = beside_oracle(rolled, Path(session.source(None)))
metrics = rolled.metrics
print(*rolled.notes, sep="\n")

# %% [markdown]
# **First the intervals.** They are resampled by customer group, since an account's months are not
# independent. A model whose AUC cannot be told from one half says nothing.

# %%
origins = pd.DataFrame(
    {run["origin"]: run["auc"] or {} for run in rolled.by_origin}, index=["value", "low", "high"]
).T
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
below, above = origins["value"] - origins["low"], origins["high"] - origins["value"]
axes.errorbar(origins.index, origins["value"], yerr=[below, above], fmt="o", capsize=4)
axes.axhline(0.5, color="grey", linestyle="--")
axes.set(ylabel="AUC", title="Origin by origin")

# %% [markdown]
# **Then plainer ways on the same rows.** How far the model lies above each, with the interval of
# the difference. For `brier` and `log_loss` less is better. A model that does not beat the base
# rate's log loss adds nothing to knowing how many leave.

# %%
beside = pd.DataFrame(
    {
        (rival, end): {name: found[name][end] for name in FIGURES}
        for rival, found in metrics["above_baselines"].items()
        if found
        for end in ("value", "low", "high")
    }
).T
beside

# %% [markdown]
# **Does it happen as often as it says?** Ten equally large bins. A list can be in good order while
# every probability on it is wrong; expected loss in money needs both.

# %%
reliability = pd.DataFrame(metrics["reliability"])
figure, axes = plt.subplots(figsize=(4, 4), layout="constrained")
axes.plot(reliability["predicted"], reliability["observed"], marker="o")
axes.axline((0, 0), slope=1, color="grey", linestyle="--")
axes.set(xlabel="what the model said", ylabel="what happened")

# %% [markdown]
# **What a team finds** that can call only so many accounts. Recall is the share of the losses on
# the list; profit rests on what a call costs and wins, as the settings state it.

# %%
lists = pd.DataFrame(
    {
        (f"first {found['share']:.0%}", found["order"]): {
            name: found[name] and found[name]["value"]
            for name in ("precision", "recall", "lift", "arr_caught", "profit")
        }
        for found in metrics["capacity"]
    }
).T
lists

# %% [markdown]
# **The best list.** How long it should be depends on the chance to save, which nobody knows. Here
# each chance gets its best length, and the profits are averaged: the expected maximum profit.

# %%
best_lists = pd.DataFrame(
    {
        order: {name: figure["value"] for name, figure in found.items()}
        for order, found in metrics["best_lists"].items()
        if found
    }
).T
best_lists

# %% [markdown]
# **Parts of the base.** Where it works, and where it rests on too few losses to tell.

# %%
parts = pd.DataFrame(
    {
        (by, part): {
            "rows": found["rows"],
            "events": found["events"],
            **{end: (found["auc"] or {}).get(end) for end in ("value", "low", "high")},
        }
        for by, each in metrics["slices"].items()
        for part, found in each.items()
    }
).T
parts

# %% [markdown]
# **The team's own answer.** What came of accounts that customer success was at work on is in part
# the team's doing. The rows without them show what the model adds to what the team knows already.
# The difference is *not* what a touch does: only an experiment tells that.

# %%
touch = parts.loc["touch"]
touched_share = trained.data["touched_share"]
touch

# %% [markdown]
# **How early.** Of the events within the horizon, the share that stood on a list before.

# %%
early = pd.DataFrame(metrics["lead_time"]).map(
    lambda found: found["value"] if isinstance(found, dict) else found
)
early

# %% [markdown]
# **The best possible.** Of the sample company it is known: the oracle plays true states forward.
# The share of its skill (AUC less one half) is how much was found of what could be. A company of
# its own has no such truth, and no such cell.

# %%
oracle = pd.DataFrame(
    {
        population: found["skill_share"]
        for population, found in metrics.get("oracle", {"populations": {}})["populations"].items()
    }
).T
oracle

# %% [markdown]
# All of it stands on one page that opens without a network, and in MLflow.

# %%
document = backtest_document(
    rolled,
    session.home.reports / "notebook-backtest-churn",
    {"source": built.source.fingerprint},
    session.registry,
)
print(document["report"])
outcomes = rolled.test_rows["outcome__90d"].to_numpy()
print(f"{np.sum(outcomes):.0f} losses in {len(outcomes):,} rows stand behind these figures")

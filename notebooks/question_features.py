# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
# ---

# %% [markdown]
# # Build features, and question them
#
# Before a model learns from a feature: how is it filled, does it drift, does it go with what came
# true, and could it know the future? Then a feature of one's own, from declaration to answer.

# %%
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

from features.build import feature_table
from features.catalog import catalog_json
from features.declare import Distinct, Facts, Feature, Text, Unit
from features.poison import poison
from models.churn import CHURN
from serving.verbs.console import Session
from training.audit.columns import audit
from training.labels import outcome_within
from training.prepare import labelled_rows
from training.profile import profile
from training.splits import on_record

session = Session()
built = session.history(None)
catalogue = pd.DataFrame(catalog_json(built.features))
catalogue.groupby("group")["column"].count()

# %% [markdown]
# ## One family seen close
#
# The AUC of a feature alone: how often an account that churned within the horizon had the higher
# value. One half is no relation; below it, low values go with churn.

# %%
GROUP = "support"
chosen = tuple(feature for feature in built.features if feature.group == GROUP)
profiled = profile(replace(built, features=chosen))
relations = {each.column: each.relation("churn", 90) for each in profiled.features}
family = pd.DataFrame(
    {
        "filled": {each.column: np.mean(each.coverage) for each in profiled.features},
        "drift": {each.column: each.drift[-1] for each in profiled.features},
        "auc": {name: found.auc for name, found in relations.items() if found},
    }
).sort_values("auc")
figure, axes = plt.subplots(figsize=(8, 0.25 * len(family) + 1), layout="constrained")
axes.barh(family.index, family["auc"] - 0.5, left=0.5)
axes.set(xlabel="AUC of the feature alone, churn within 90 days")

# %% [markdown]
# What somebody should look at:

# %%
for each in profiled.features:
    for flag in each.flags:
        print(flag.level, flag.sentence)

# %% [markdown]
# ## A feature of one's own
#
# Declared once, here as in a file that `tenure.toml` names: how many different users took a course
# in the last year. Windows, late rows and merges are taken care of.

# %%
mine = Feature(
    "ours",
    "taught_users",
    Distinct(Facts("trainings", at="completed_at", uses=("user_id",)), "user_id"),
    Unit.USERS,
    subject="courses",
    description="Different users who completed a course in the last year.",
    text=Text("{value} [user|users] took a course in the last year"),
    window_days=365,
)
own = replace(
    built, features=(mine,), table=feature_table(built.source, built.states, features=(mine,))
)
rows = on_record(labelled_rows(own, CHURN), built.source.extracted_at, CHURN)
known = rows.assign(churned=outcome_within(rows, 90)).dropna(subset="churned")
relation = profile(own).features[0].relation("churn", 90)
print(relation)

# %%
taught = known[mine.column].clip(upper=6)
share = known.groupby(taught)["churned"].agg(["mean", "size"])
figure, axes = plt.subplots(figsize=(8, 3), layout="constrained")
axes.bar(share.index, share["mean"])
axes.set(xlabel="users who took a course (6: or more)", ylabel="share lost within 90 days")

# %% [markdown]
# ## Could it know the future?
#
# Of a sample of customers everything is deleted that became known at a past date or later. The
# feature is computed again, and must be the same to the bit.

# %%
poisoned = poison(own)
print(f"{poisoned.rows} rows at {poisoned.dates} dates compared, {len(poisoned.changed)} changed")

# %% [markdown]
# ## What a leak looks like
#
# A column as CRMs have it: the year in which the account's last subscription ended, filled in once
# it had ended, and written over all of its rows. It is splendid, and worthless.

# %%
subscriptions = built.source.newest("subscriptions")
ends = subscriptions.groupby("account_id")["ended_at"].agg(lambda day: day.max(skipna=False))
leaked = known.assign(end_year=known["account_id"].map(ends.dt.year))
findings = audit(
    leaked,
    leaked["churned"].to_numpy(),
    features=["end_year", mine.column],
    groups=leaked["customer_group"].to_numpy(),
)
for finding in findings:
    print(finding.message)

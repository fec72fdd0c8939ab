# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
# ---

# %% [markdown]
# # Explore a source
#
# What a company's tables hold, what of it was set aside, who is there, and how many leave.
# The source is the one that `tenure.toml` or `TENURE_SOURCE` names, else the quickstart's sample.

# %%
from dataclasses import asdict

import matplotlib.pyplot as plt
import pandas as pd
import pyarrow.parquet as pq

from features.built import month_starts
from features.sources.report import report_text
from features.spine import account_states
from models.churn import CHURN
from serving.verbs.console import Session
from training.labels import label, outcome_within

session = Session()
source = session.checked(session.source(None))
print(report_text(source))

# %% [markdown]
# ## Where the rows went
#
# Every row that was read was accepted, set aside with its reason, or an exact copy of another.

# %%
tables = pd.DataFrame.from_dict(
    {name: asdict(counts) for name, counts in source.counts.items()}, orient="index"
)
tables["share_set_aside"] = tables["quarantined"] / tables["read"].clip(lower=1)
tables.sort_values("share_set_aside", ascending=False)

# %% [markdown]
# ## Is the log of use whole?
#
# One step a week, counted from the files' own headers. A gap is a week that was never extracted,
# and every feature of use would read it as silence.

# %%
weekly = pd.Series(
    {part.stem: pq.read_metadata(part).num_rows for part in source.parts("usage_events")}
)
weekly.index = pd.to_datetime(weekly.index)
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
axes.step(weekly.index, weekly, where="post")
axes.set(title="Events by week", ylim=(0, None))

# %% [markdown]
# ## Who is there
#
# The state of each account just before the first of each month, as it could be known then. The
# months begin with the first loss on record: of the time before it an extract usually holds the
# survivors only.

# %%
states = account_states(source, month_starts(source))
by_month = pd.crosstab(states["as_of"], states["status"])
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
axes.stackplot(by_month.index, by_month.to_numpy().T, labels=by_month.columns)
axes.legend(loc="lower left")
axes.set(title="Accounts by state")

# %%
mrr = states.groupby("as_of")["mrr"].sum()
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
axes.plot(mrr.index, mrr)
axes.set(title="MRR", ylim=(0, None))

# %% [markdown]
# ## How many leave
#
# The share of the active accounts that churned within 30 days of each date. Only dates count whose
# window and grace were over at the extract: unknown is never "stayed".

# %%
labels = label(source, states[states["status"] == "active"], CHURN)
within_30_days = labels.assign(churned=outcome_within(labels, 30)).dropna(subset="churned")
churn = within_30_days.groupby("as_of")["churned"].agg(["mean", "sum", "size"])
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
axes.plot(churn.index, churn["mean"], marker="o")
axes.set(title="Share lost within 30 days", ylim=(0, None))

# %% [markdown]
# ## Why, where the company wrote it down

# %%
causes = within_30_days.loc[within_30_days["churned"] == 1, "cause"].fillna("not told")
causes.value_counts()

# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
# ---

# %% [markdown]
# # Explain one account
#
# Why a score is what it is: in sentences, in log odds, against the account's own past, and against
# its peers of today.

# %%
from datetime import UTC, datetime

import matplotlib.pyplot as plt
import pandas as pd

from models.reasons import explain
from models.standing import CHALLENGER, CHAMPION
from serving.scoring.score import score
from serving.scoring.worklist import account_facts, rank
from serving.verbs.console import Session

HORIZON_DAYS = 90
ACCOUNT = None  # an account_id; None takes the first of the work list

session = Session()
registry = session.registry
version = registry.version_of("churn", CHAMPION) or registry.version_of("churn", CHALLENGER)
bundle = registry.fetch("churn", str(version))
history = session.history(None)
source = history.source
today = session.built(None, [source.extracted_at.date()], touches=bundle.question.touches)

# %% [markdown]
# ## Whom to look at
#
# The work list's order: probability times annual recurring revenue.

# %%
scores = score({"churn": bundle}, today.table, today.states, datetime.now(UTC).replace(tzinfo=None))
facts = account_facts(source.newest("accounts"), today.states)
listed = rank(scores, facts, HORIZON_DAYS).sort_values("position")
account_id = ACCOUNT or listed["account_id"].iloc[0]
listed.head(10)

# %% [markdown]
# ## In sentences
#
# One reason for each thing that is measured; those that raise the probability stand first. The
# first three are of three families: three things to talk about.

# %%
row = today.table[today.table["account_id"] == account_id]
(reasons,) = explain(bundle, row, HORIZON_DAYS, limit=6)
for reason in reasons:
    print(f"{reason.effect:+.2f}  {reason.text}")

# %% [markdown]
# ## In log odds
#
# The effects of all features and the baseline add up to the account's log odds, exactly. A bar to
# the right raises the probability. It says what the model makes of a number, not what would happen
# if somebody changed it.

# %%
explained = bundle.explained(row, HORIZON_DAYS)
effects = pd.Series(explained.effects[0], index=list(bundle.features))
subject = {entry["column"]: entry.get("subject") or entry["column"] for entry in bundle.catalogue}
by_subject = effects.groupby(subject).sum()
strongest = by_subject.loc[by_subject.abs().sort_values().index[-12:]]
figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
axes.barh(strongest.index, strongest)
axes.set(title=f"{account_id}: effects in log odds")

# %% [markdown]
# ## Against its own past
#
# What this model would have said at earlier dates. Left of the dashed line it has learned from
# these very rows: only what stands to its right is a test.

# %%
past = history.table[history.table["account_id"] == account_id].sort_values("as_of")
at = bundle.question.horizons_days.index(HORIZON_DAYS)
probability = pd.Series(bundle.probabilities(past)[:, at], index=past["as_of"])
figure, axes = plt.subplots(figsize=(10, 3), layout="constrained")
axes.plot(probability.index, probability, marker="o")
axes.axvline(pd.Timestamp(bundle.as_of_range[1]), color="grey", linestyle="--")
axes.set(ylabel=f"churn within {HORIZON_DAYS} days", ylim=(0, None))

# %%
features = [reason.feature for reason in reasons]
figure, panels = plt.subplots(
    len(features),
    figsize=(10, 1.5 * len(features)),
    layout="constrained",
    sharex=True,
    squeeze=False,
)
for axes, name in zip(panels.flat, features, strict=True):
    axes.plot(past["as_of"], past[name], marker=".")
    axes.set_title(name, fontsize="small")

# %% [markdown]
# ## Against its peers
#
# Where the account stands among today's active accounts of its tier: the share of them with a lower
# value, ties counting half.

# %%
tiers = listed.set_index("account_id")["tier"]
same_tier = today.table["account_id"].map(tiers).to_numpy() == tiers[account_id]
peers = today.table[same_tier] if same_tier.any() else today.table
own, others = row[features].iloc[0], peers[features]
at_or_below = (others.lt(own).sum() + others.le(own).sum()) / 2
standing = pd.DataFrame(
    {
        "value": own,
        "median_of_peers": others.median(),
        "share_below": at_or_below / others.notna().sum(),
    }
)
standing

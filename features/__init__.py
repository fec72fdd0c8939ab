"""From source tables to one row per account and date; knows nothing of labels or models."""

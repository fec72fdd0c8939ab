"""The leakage audit's checks by name, as records, gates and the command line know them."""

SINGLE_COLUMNS = "single_columns"
LATER_ROWS = "later_rows"
LABEL_WINDOWS = "label_windows"
TRAIN_AND_NOW = "train_and_now"
CHECKS = (SINGLE_COLUMNS, LATER_ROWS, LABEL_WINDOWS, TRAIN_AND_NOW)
"""All of them; a finding on rows, not on a column, bears the name of its check."""

"""A company that never was: its customers' hidden lives, and the tables they leave behind."""

"""Accounts taken out of all that is kept."""

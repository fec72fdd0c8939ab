"""The leakage audit: what knows the outcome, or looks as if it did, stops a promotion."""

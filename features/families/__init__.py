"""Families of features: each module is a page of declarations of one shape."""

"""Backups: written, sealed and restored."""

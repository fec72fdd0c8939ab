"""Readers that give contract-checked tables: folders, mappings and the sample company."""

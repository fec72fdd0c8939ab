"""Scores on their way into a CRM: pulled from the service, laid out as its importer asks."""

"""A publication as files that answer a request, and which of them is in service."""

"""Features of one's own: harvested from files outside the package, and tried before they count."""

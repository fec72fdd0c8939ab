"""One compiled pass over a large log, in place of the recipes, with the same numbers."""

"""One file per source table: grain, columns, types, units and known-when."""

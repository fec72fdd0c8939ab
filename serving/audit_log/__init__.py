"""Who read which accounts: rows in hash chains, which one can hold against each other."""

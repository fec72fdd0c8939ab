"""Who may see what: tokens, and sessions of the pages."""

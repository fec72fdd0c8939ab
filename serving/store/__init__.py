"""The database: its tables, how they are brought up to date, and what is looked up in them."""

"""The command line's verbs that belong to one part, and how all of them speak."""

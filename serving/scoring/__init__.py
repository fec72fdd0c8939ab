"""From rows and models to scores and a ranked list; pure."""

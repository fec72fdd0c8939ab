"""Which play answers what, and plain triggers: `playbooks.toml`, read and proved at start."""

"""How answers reach people."""

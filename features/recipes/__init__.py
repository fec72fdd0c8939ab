"""How each kind of declaration is computed: whole numbers at snapshots, on any engine."""

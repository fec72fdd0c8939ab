"""The battery: what every feature keeps to, tried on companies drawn at random."""

"""The HTTP interface: calls, their types and answers, and the guard before them."""

"""Tasks that do real work: what the demo runs, and how a task of one's own can look."""

"""Whole lives of tasks, over and over, and whether the operator's memory grows with them. By hand: see docs/soak.md."""

"""Benchmarks: how much LongTask costs, as ratios measured within one run; `make bench` writes docs/benchmarks."""

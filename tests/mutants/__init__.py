"""Seeded mutants: the code is broken on purpose, one place at a time, and some test must notice.

A test that can't fail shows nothing. So every guarantee has its mutants here: each removes one precondition, one step
of a proof, one rule of the API server, and names the tests that must catch it. `python -m tests.mutants` tries them.
"""

"""The clusters that tests and demo run on.

Standard library only, and nothing of `longtask`: `python3 -m tests.cluster down` has to work without the project's
environment, and a broken operator must not take the cluster's tools with it. `api` is the door for tests.
"""

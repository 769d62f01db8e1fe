"""The codes that a worker exits with: the contract between it and the Job that runs it.

They must not be changed without the Job's podFailurePolicy and docs/worker-protocol.md.
"""

DONE = 0  # the checkpoint with cause Done was acknowledged
FAILED = 1  # as is every code that is not in this file: uses a retry
SAVED = 75  # stopped when asked to, with everything saved: uses no retry
NEVER_RETRY = 78  # retrying can't help; never after a stop request, because it would fail a suspended Job
ABORTED = 130  # the second Ctrl-C, outside a cluster

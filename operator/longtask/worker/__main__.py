"""`python -m longtask.worker run …`, for images in which the command is not on the path."""

from longtask.worker.cli import main

raise SystemExit(main())

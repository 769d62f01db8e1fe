module longtask.dev/tests/protocol/worker

go 1.21

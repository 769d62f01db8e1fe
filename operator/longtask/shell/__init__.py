"""The hands: everything that can fail, wait or surprise. The decision itself is made in `longtask.core`."""

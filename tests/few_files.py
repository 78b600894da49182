"""Let this process run out of file descriptors for the length of a `with`."""

import os
import resource
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def few_files(spare: int) -> Generator[None, None, None]:
    """Let this process open `spare` more files, and none after them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest_free = os.dup(0)
    os.close(lowest_free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

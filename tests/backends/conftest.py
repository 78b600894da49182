"""Each backend, as its control program starts it; those of a module share one process."""

from collections.abc import Generator

import pytest

from tests.backends.program import Program, needs_node, running
from tests.backends.wire import Client


@pytest.fixture(params=["starlette", pytest.param("node", marks=needs_node)], scope="session")
def backend(request: pytest.FixtureRequest) -> str:
    """Return the name of a backend that this machine can run."""
    name = str(request.param)
    if name == "starlette":
        pytest.importorskip("sse_starlette", reason="needs the package sse-starlette")
    return name


@pytest.fixture(scope="module")
def program(backend: str) -> Generator[Program]:
    """Run the control program of a backend."""
    with running(backend) as program:
        yield program


@pytest.fixture
def client(program: Program) -> Client:
    """Return a client of that backend."""
    return Client.of(program)

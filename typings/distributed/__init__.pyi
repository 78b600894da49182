from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import TracebackType
from typing import Generic, ParamSpec, Self, TypeVar

_P = ParamSpec("_P")
_R = TypeVar("_R")

class Future(Generic[_R]):
    @property
    def key(self) -> str: ...
    def result(self) -> _R: ...

class LocalCluster:
    def __init__(
        self,
        *,
        n_workers: int,
        threads_per_worker: int,
        dashboard_address: str | None,
        silence_logs: int,
        local_directory: str = ...,
    ) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...

class Client:
    def __init__(self, address: str | LocalCluster, *, timeout: float = ...) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
        /,
    ) -> None: ...
    def nthreads(self) -> Mapping[str, int]: ...
    def processing(self) -> Mapping[str, Collection[str]]: ...
    def run(self, function: Callable[[], _R]) -> Mapping[str, _R]: ...
    def submit(
        self, function: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs
    ) -> Future[_R]: ...

def as_completed(futures: Iterable[Future[_R]]) -> Iterator[Future[_R]]: ...

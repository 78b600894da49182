from collections.abc import Mapping

class ConnectStrategy:
    @staticmethod
    def http(url: str, headers: Mapping[str, str] | None = None) -> ConnectStrategy: ...

class ErrorStrategy:
    FAIL: bool
    CONTINUE: bool
    def apply(self, exception: Exception | None) -> tuple[bool, ErrorStrategy]: ...
    @staticmethod
    def always_continue() -> ErrorStrategy: ...
    @staticmethod
    def continue_with_max_attempts(max_attempts: int) -> ErrorStrategy: ...

class RetryDelayStrategy:
    @staticmethod
    def default(max_delay: float | None = None) -> RetryDelayStrategy: ...

"""What an operation of the trainer can reject with, apart from an exception of a callback."""


class HttpError(Exception):
    """The backend answered, and the answer was no."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ConnectionFailed(Exception):
    """No answer, or no complete one."""


class Unusable(Exception):
    """An answer, an event or a cursor that cannot be used."""


class GaveUp(Exception):
    """The budget is spent; `failures` is the number of failures in a row."""

    def __init__(self, failures: int, cause: Exception) -> None:
        super().__init__(f"the stream failed {failures} times in a row: {cause}")
        self.failures = failures


class Aborted(Exception):
    """The wait was left; the message is the reason."""


class Setback(Exception):
    """A failure of the budget, which never leaves the client; its cause does, as the last one."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause

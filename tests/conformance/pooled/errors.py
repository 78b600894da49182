"""The errors that an operation of the trainer can raise, apart from exceptions of callbacks."""


class HttpError(Exception):
    """The backend refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ConnectionFailed(Exception):
    """There was no answer, or an incomplete one."""


class Unusable(Exception):
    """An answer, an event or a cursor that cannot be used."""


class GaveUp(Exception):
    """The budget is exhausted; `failures` is the number of failures in a row."""

    def __init__(self, failures: int, cause: Exception) -> None:
        super().__init__(f"the stream failed {failures} times in a row: {cause}")
        self.failures = failures


class Aborted(Exception):
    """The wait was aborted; the message is the reason."""


class Setback(Exception):
    """A failure that counts against the budget; used only inside the client."""

    def __init__(self, cause: Exception) -> None:
        super().__init__(str(cause))
        self.cause = cause

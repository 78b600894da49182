class HTTPStatusError(Exception):
    status: int

"""Explain in one line why the mock cannot be imported. This module itself imports nothing."""

_EXTRA = {"anyio", "attr", "attrs", "h11"}


def missing(error: ImportError) -> str | None:
    """Return a message that names the missing package; None if the error has another cause."""
    name = (error.name or "").partition(".")[0]
    if name in _EXTRA:
        return f"{name} is not installed; pip install 'arkor-proto[mock]'"
    return None

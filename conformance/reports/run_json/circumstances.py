"""When and where a run was made, so that a report can be read a year later."""

import platform
from datetime import UTC, datetime

from attrs import frozen


@frozen
class Circumstances:
    """The date, in UTC to the second, and the machine: its system, its processor and its Python."""

    date: str
    host: str

    @classmethod
    def here(cls) -> "Circumstances":
        """Return those of this moment. The name of the machine is left out: it may be private."""
        python = f"{platform.python_implementation()} {platform.python_version()}"
        system = f"{platform.system()} {platform.release()} {platform.machine()}"
        return cls(datetime.now(UTC).isoformat(timespec="seconds"), f"{system}, {python}")

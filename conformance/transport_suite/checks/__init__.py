"""The checks, with one file for each part of the contract."""

from types import ModuleType
from typing import Final

from conformance.transport_suite.check import Check
from conformance.transport_suite.checks import (
    aborting,
    bodies,
    callbacks,
    closing,
    connections,
    reading,
    requests,
    secrecy,
    settling,
    timing,
)


def _of(module: ModuleType) -> list[Check]:
    return [each for each in vars(module).values() if isinstance(each, Check)]


_FILES: Final = (
    requests,
    bodies,
    reading,
    callbacks,
    settling,
    aborting,
    timing,
    connections,
    closing,
    secrecy,
)

CHECKS: Final[tuple[Check, ...]] = tuple(each for module in _FILES for each in _of(module))
"""All checks, in the same order as the parts of the contract."""

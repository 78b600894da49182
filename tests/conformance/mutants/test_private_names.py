"""Broken clients are made at the seam: few of them reach into private names of the core."""

from collections.abc import Mapping, Sequence
from typing import Final

import pytest

from tests.conformance.mutants.private_names import reaching, sources

MOST: Final = 30
SEAM: Final = """
from arkor_proto._table import TABLE
def set_cell(): TABLE
def breaks(): return
"""
MUTANT: Final = """
from conformance.mutants.patching import breaks, set_cell
from arkor_proto import Session
@breaks("ARK-CRE-1")
def changes_a_cell(): set_cell()
"""


def planted(body: str) -> list[str]:
    """Return the private names that a mutant with this body is found to reach into."""
    text = f'{MUTANT}\n@breaks("ARK-CRE-1")\ndef cheats():\n    {body}\n'
    found = reaching({"patching": SEAM, "families.create": text})
    assert set(found) <= {"create.cheats"}
    return [name for names in found.values() for name in names]


@pytest.fixture(scope="module")
def found() -> Mapping[str, Sequence[str]]:
    """Return the private names that each mutant of the package reaches into."""
    return reaching(sources())


def test_few_mutants_reach_into_private_names(found: Mapping[str, Sequence[str]]) -> None:
    listed = "\n".join(f"{mutant}: {', '.join(names)}" for mutant, names in found.items())
    assert len(found) <= MOST, f"make some of these filters around the session:\n{listed}"


def test_a_cell_of_the_table_and_public_names_are_the_seam() -> None:
    assert planted("replace(Session, 'handle', set_cell)") == []


def test_a_private_attribute_is_counted() -> None:
    assert planted("print(Session._wait)") == ["Session._wait"]


def test_a_private_attribute_that_is_replaced_is_counted() -> None:
    assert planted("replace(Session, '_wait', None)") == ["Session._wait"]


def test_a_private_module_is_counted_where_a_helper_uses_it() -> None:
    body = "helper()\nfrom arkor_proto._wait import Wait\ndef helper(): Wait"
    assert planted(body) == ["arkor_proto._wait.Wait"]


def test_a_private_module_of_a_transport_is_counted() -> None:
    body = "http\nfrom arkor_proto.transports import _async_http as http"
    assert planted(body) == ["arkor_proto.transports._async_http"]


def test_the_mutants_of_the_package_are_read(found: Mapping[str, Sequence[str]]) -> None:
    assert "benign.reads-byte-by-byte" in found

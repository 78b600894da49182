"""The run as JUnit XML, for whatever collects test results."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from conformance.reading import Json, Table


def junit(run: Mapping[str, Json]) -> str:
    """Return one suite per profile; warnings and known failures are no failures."""
    root = Element("testsuites", name="arkor-conformance")
    results = Table("run", run).tables("results")
    for profile in Table("run", run).tables("profiles"):
        own = [result for result in results if result.text("profile") == profile.text("name")]
        root.append(_suite(profile.text("name"), own))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _suite(name: str, results: Sequence[Table]) -> Element:
    cases = [_case(result) for result in results]
    counts = {
        tag: str(sum(1 for case in cases if case.find(tag[:-1]) is not None))
        for tag in ("failures", "errors")
    }
    skipped = str(sum(1 for case in cases if case.find("skipped") is not None))
    suite = Element(
        "testsuite", {"name": name, "tests": str(len(cases)), "skipped": skipped, **counts}
    )
    suite.extend(cases)
    return suite


def _case(result: Table) -> Element:
    case = Element(
        "testcase",
        name=result.text("case"),
        classname=f"{result.text('profile')}.{result.text('family')}",
        time=str(result.number("seconds")),
    )
    verdict = result.text("verdict")
    if verdict in {"fail", "inconclusive"}:
        failure = SubElement(case, "failure", message=_message(result), type=verdict)
        failure.text = _printable(_details(result))
    elif verdict == "error":
        SubElement(case, "error", message=_printable(result.text("reason")))
    elif verdict in {"n/a", "known-failure"}:
        SubElement(case, "skipped", message=_printable(result.text("reason")))
    elif verdict == "warn":
        SubElement(case, "system-out").text = _printable(_details(result))
    return case


def _message(result: Table) -> str:
    first = result.tables("findings")[0]
    said = f"{first.text('assertion')}: expected {first.text('expected')}, {first.text('actual')}"
    return _printable(said)


def _details(result: Table) -> str:
    lines = [result.text("why"), " ".join(result.texts("requires"))]
    for finding in result.tables("findings"):
        lines += [
            finding.text("assertion"),
            f"  expected {finding.text('expected')}",
            f"  actual   {finding.text('actual')}",
        ]
    return "\n".join([*lines, result.text("rerun")])


def _printable(text: str) -> str:
    """Replace what XML cannot hold."""
    return "".join(
        c if c in "\t\n" or c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text
    )

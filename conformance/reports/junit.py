"""The run as JUnit XML, for whatever collects test results."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from conformance.reading import Json, Table
from conformance.reports.plain import visible


def junit(run: Mapping[str, Json]) -> str:
    """Return one suite per profile; warnings and known failures are no failures."""
    root = Element("testsuites", name="arkor-conformance")
    results = Table("run", run).tables("results")
    rules = Table("run", run).table("requirements")
    for profile in Table("run", run).tables("profiles"):
        own = [result for result in results if result.text("profile") == profile.text("name")]
        root.append(_suite(profile.text("name"), own, rules))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _suite(name: str, results: Sequence[Table], rules: Table) -> Element:
    cases = [_case(result, rules) for result in results]
    counts = {
        plural: str(sum(case.find(tag) is not None for case in cases))
        for plural, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    seconds = sum(result.number("seconds") for result in results)
    about = {"name": visible(name), "tests": str(len(cases)), "time": f"{seconds:.3f}"}
    suite = Element("testsuite", {**about, **counts})
    suite.extend(cases)
    return suite


def _case(result: Table, rules: Table) -> Element:
    case = Element(
        "testcase",
        name=visible(result.text("case")),
        classname=visible(f"{result.text('profile')}.{result.text('family')}"),
        time=f"{result.number('seconds'):.3f}",
    )
    reason = visible(result.text("reason"))
    match result.text("verdict"):
        case "fail" | "inconclusive" as verdict:
            failure = SubElement(case, "failure", message=_message(result), type=verdict)
            failure.text = _details(result, rules)
        case "error":
            SubElement(case, "error", message=reason)
        case "n/a" | "known-failure":
            SubElement(case, "skipped", message=reason)
        case "warn":
            SubElement(case, "system-out").text = _details(result, rules)
        case _:
            pass
    return case


def _message(result: Table) -> str:
    said = (
        f"{each.text('assertion')}: expected {each.text('expected')}, got {each.text('actual')}"
        for each in result.tables("findings")
    )
    return visible(next(said, result.text("reason")))


def _details(result: Table, rules: Table) -> str:
    lines = [result.text("why")]
    for rule in result.texts("requires"):
        text = rules.table(rule).text("text", "") if rules.has(rule) else ""
        lines.append(f"{rule} {text}")
    for finding in result.tables("findings"):
        broken = " ".join(finding.texts("requires"))
        lines += [
            finding.text("assertion"),
            *([f"  breaks   {broken}"] if broken else []),
            f"  expected {finding.text('expected')}",
            f"  actual   {finding.text('actual')}",
        ]
    return visible("\n".join([*lines, f"rerun it alone: {result.text('rerun')}"]))

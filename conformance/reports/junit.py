"""Write the results of a run as JUnit XML, for CI systems and other tools that collect results."""

from collections.abc import Mapping, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from conformance.plain import seen
from conformance.reports.digest import Cause, causes, decisive
from conformance.reports.summary import counts, left_out, level, missing, notes
from conformance.strict_data import Json, Table


def junit(run: Mapping[str, Json]) -> str:
    """Return the XML, with one test suite per profile.

    Warnings and known failures do not count as failures.
    """
    top = Table("run", {key: seen(value) for key, value in run.items()})
    root = Element("testsuites", name="arkor-conformance")
    found = causes(top)
    for profile in top.tables("profiles"):
        root.append(_suite(profile, top, found))
    if said := missing(top):
        root.append(_unfinished(said))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _suite(profile: Table, run: Table, found: Sequence[Cause]) -> Element:
    name = profile.text("name")
    own = [result for result in run.tables("results") if result.text("profile") == name]
    cases = [_case(result, run, found) for result in own]
    counted = {
        many: str(sum(case.find(tag) is not None for case in cases))
        for many, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    seconds = sum(result.number("seconds") for result in own)
    about = {"name": name, "tests": str(len(cases)), "time": f"{seconds:.3f}"}
    suite = Element("testsuite", {**about, **counted})
    suite.append(_properties(profile, run, found))
    suite.extend(cases)
    return suite


def _properties(profile: Table, run: Table, found: Sequence[Cause]) -> Element:
    """Return the properties of a suite: the verdict, counts, notes, causes and specification."""
    about = run.table("specification")
    properties = Element("properties")
    said = [
        ("verdict", profile.text("verdict")),
        ("MUST", level(profile, "MUST")),
        ("SHOULD", level(profile, "SHOULD")),
        ("cases", counts(profile)),
        *(("note", note) for note in run.texts("notes")),
        *(("note", note) for note in notes(profile, run.text("judged"))),
        *(("cause", f"{each.number}. {each.sentence}") for each in found),
        *(("not applicable", left_out(group)) for group in run.tables("not_applicable")),
        ("specification", about.text("version")),
        ("case set", about.text("cases")),
    ]
    for name, value in said:
        SubElement(properties, "property", name=name, value=value)
    return properties


def _unfinished(said: str) -> Element:
    """Return a suite with an error, so that an incomplete run cannot pass as complete."""
    counted = {"tests": "1", "errors": "1", "failures": "0", "skipped": "0", "time": "0.000"}
    suite = Element("testsuite", {"name": "not played", **counted})
    case = SubElement(suite, "testcase", name="the whole run", classname="run", time="0.000")
    SubElement(case, "error", message=said)
    return suite


def _case(result: Table, run: Table, found: Sequence[Cause]) -> Element:
    case = Element(
        "testcase",
        name=result.text("case"),
        classname=f"{result.text('profile')}.{result.text('family')}",
        time=f"{result.number('seconds'):.3f}",
    )
    reason = result.text("reason")
    match result.text("verdict"):
        case "fail" | "inconclusive" as verdict:
            failure = SubElement(case, "failure", message=_message(result), type=verdict)
            failure.text = _details(result, run, found)
        case "error":
            error = SubElement(case, "error", message=_message(result))
            error.text = _details(result, run, found)
        case "n/a" | "known-failure":
            SubElement(case, "skipped", message=reason)
        case "warn":
            SubElement(case, "system-out").text = _details(result, run, found)
        case _:
            pass
    return case


def _message(result: Table) -> str:
    said = (
        f"{each.text('assertion')}: expected {each.text('expected')}, got {each.text('actual')}"
        for each in result.tables("findings")
    )
    return next(said, result.text("reason"))


def _details(result: Table, run: Table, found: Sequence[Cause]) -> str:
    rules = run.table("requirements")
    own = [] if result.raw("cause") is None else [found[result.count("cause")]]
    lines = [result.text("why"), *(f"cause {each.number}: {each.sentence}" for each in own)]
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
    lines += [f"settled: {each}" for each in result.texts("operations")]
    lines += [f"{'>' if each.here else ' '} {each.text}" for each in decisive(result, run)]
    return "\n".join([*lines, f"rerun it alone: {result.text('rerun')}"])

"""Formats a comparison as Markdown, for the terminal."""

from collections.abc import Iterator, Sequence
from typing import Final

from tests.benchmarks.peers import client_speed, parser_speed
from tests.benchmarks.peers.comparison import Comparison
from tests.benchmarks.peers.growth import Curve
from tests.benchmarks.peers.known import OURS
from tests.benchmarks.peers.parsers import FLOOR
from tests.benchmarks.peers.readers import BLOCKING, NAIVE

NONE: Final = "—"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], left: int = 1) -> str:
    """Return a table; all columns but the first `left` are aligned to the right."""
    marks = ["---"] * left + ["--:"] * (len(head) - left)
    lines = [head, marks, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def document(found: Comparison) -> str:
    """Return the whole comparison as Markdown."""
    sections = [
        f"Python {found.python}, {found.machine}, {found.began}, {found.seconds:.0f} s"
        + (" (quick run: it shows only that everything works)" if found.quick else ""),
        *_correctness(found),
        *_parser(found),
        *_client(found),
        *_growth(found),
        *_missed(found),
        *_left_out(found),
        summary(found),
    ]
    return "\n\n".join(sections) + "\n"


def _correctness(found: Comparison) -> Iterator[str]:
    if not found.correctness:
        return
    yield f"## Public vectors ({found.vectors})"
    rows = [
        [
            f"{each.name} {each.version}",
            "; ".join(f"{means} ({count})" for means, count in each.counts()) or "nothing",
            f"{each.right} of {each.asked}",
            f"{each.right_byte_by_byte} of {each.asked}",
        ]
        for each in found.correctness
    ]
    yield table(["parser", "what it gets wrong", "right", "right byte by byte"], rows, 2)
    lists = [
        f"- {each.name} fails " + ", ".join(wrong.vector for wrong in each.wrong)
        for each in found.correctness
        if each.wrong
    ]
    if lists:
        yield "\n".join(lists)


def parser_rows(found: Comparison) -> tuple[list[str], list[list[str]]]:
    """Return the head and the rows of the table of parsers."""
    names = [name for name in found.versions if any(name in row.medians for row in found.parser)]
    head = ["workload", *(f"{name} {found.versions[name]}" for name in names), FLOOR, "goals"]
    rows = [
        [
            f"**{row.name}** {row.title}",
            *(_of_parser(row, name) for name in (*names, FLOOR)),
            "; ".join(map(str, found.judged(row))),
        ]
        for row in found.parser
    ]
    return head, rows


def _of_parser(row: parser_speed.Row, name: str) -> str:
    problem = row.problems.get(name, "")
    if name not in row.medians:
        return problem or NONE
    figure = f"{row.medians[name]:,.0f}"
    if name != OURS and OURS in row.medians:
        figure += f" ({row.medians[name] / row.medians[OURS]:.2f} x)"
    return f"{figure}, {problem}" if problem else figure


def _parser(found: Comparison) -> Iterator[str]:
    if found.parser:
        yield "## Parsers: ns per event (x ours)"
        yield table(*parser_rows(found))


def client_rows(found: Comparison, row: client_speed.Row) -> list[list[str]]:
    """Return the rows for one stream: reader, goal, frames/s, CPU time, ratio to the naive one."""
    verdicts = found.judged_clients(row)
    rows: list[list[str]] = []
    for name, pace in sorted(row.paces.items(), key=lambda each: each[1].cpu):
        peer = row.paces.get(NAIVE + BLOCKING if name.endswith(BLOCKING) else NAIVE)
        times = f"{peer.cpu / pace.cpu:.2f} x" if peer else NONE
        goal = str(verdicts.get(name, ""))
        rows.append([name, goal, f"{pace.rate:,.0f}", f"{pace.cpu:.2f}", times])
    return rows + [[name, problem, NONE, NONE, NONE] for name, problem in row.problems.items()]


CLIENT_HEAD: Final = ("reader", "goal", "frames/s", "CPU µs per frame", f"{NAIVE} needs")


def _client(found: Comparison) -> Iterator[str]:
    for row in found.client:
        yield f"## Clients, {row.stream}: {row.title}"
        yield table(CLIENT_HEAD, client_rows(found, row), 2)


def growth_cell(curve: Curve | None) -> str:
    """Return the exponent, in bold with its kind if the cost grows faster than the stream."""
    if curve is None or curve.growth is None:
        return curve.problem if curve else NONE
    words = f" **{curve.growth.kind}**" if curve.growth.is_superlinear else ""
    return f"{curve.growth}{words}"


def growth_tables(found: Comparison) -> Iterator[tuple[str, list[str], list[list[str]]]]:
    """Yield the title, head and rows of each table of exponents: by cost, parsers and clients."""
    for cost in ("time", "memory"):
        for clients in (False, True):
            curves = [
                each
                for each in found.curves
                if each.cost == cost and (each.axis == "replay") == clients
            ]
            if not curves:
                continue
            axes, names = (
                [*dict.fromkeys(column)]
                for column in zip(*((each.axis, each.name) for each in curves), strict=True)
            )
            by = {(each.axis, each.name): each for each in curves}
            rows = [[name, *(growth_cell(by.get((axis, name))) for axis in axes)] for name in names]
            who = "clients" if clients else "parsers"
            yield f"Growth exponents: {cost} of {who}", [who.removesuffix("s"), *axes], rows


def _growth(found: Comparison) -> Iterator[str]:
    for title, head, rows in growth_tables(found):
        yield f"## {title}"
        yield table(head, rows)


def _missed(found: Comparison) -> Iterator[str]:
    if found.missed:
        yield "## Goals missed"
        yield "\n".join(f"- {each.what}: {each.measured} ({each.goal})" for each in found.missed)


def _left_out(found: Comparison) -> Iterator[str]:
    if found.left_out:
        yield "## Not measured"
        yield "\n".join(f"- {each.name}: `{each.install}`" for each in found.left_out)


def summary(found: Comparison) -> str:
    """Return the summary of a comparison in one line."""
    met = len(found.goals) - len(found.missed)
    parts = [f"{met} of {len(found.goals)} goals met"]
    own = next((each for each in found.correctness if each.name == OURS), None)
    peers = [each for each in found.correctness if each.name != OURS]
    if own:
        parts.append(f"{OURS} fails {len(own.wrong)} of {own.asked} public vectors")
    if peers:
        least, most = (pick(len(each.wrong) for each in peers) for pick in (min, max))
        parts.append(f"{len(peers)} peers fail {least} to {most}")
    if found.curves:
        names = {curve.name for curve in found.superlinear}
        parts.append(
            f"{len(names)} of {len({c.name for c in found.curves})} grow worse than linearly"
        )
    return "peers: " + ", ".join(parts)

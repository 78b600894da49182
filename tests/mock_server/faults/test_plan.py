"""Plans alone: rules and frames in, actions out, no sockets."""

from collections.abc import Mapping

import pytest

from mock_server import Ending, Route, scenario_from_dict
from mock_server.faults.actions import (
    Action,
    AwaitGate,
    End,
    Pause,
    Write,
)
from mock_server.faults.plan import ExchangePlan
from mock_server.faults.rules import Rules
from mock_server.sse import frame_of

FRAMES = [
    frame_of(
        f'id: {n}\nevent: training.log\ndata: {{"type":"training.log","n":"é{n}"}}\n\n'.encode()
    )
    for n in range(1, 6)
]


def plans(*given: Mapping[str, object], seed: int = 0) -> tuple[Rules, list[int]]:
    scenario = scenario_from_dict({"seed": seed, "rule": list(given)})
    fired: list[int] = []
    rules = Rules(scenario.seed, fired.append)
    rules.load(scenario.rules)
    return rules, fired


def opened(rules: Rules, job: str = "j", **headers: str) -> ExchangePlan:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return rules.exchange(Route.STREAM, job, "GET", pairs)


def played(plan: ExchangePlan) -> list[Action]:
    ops = plan.start()
    for frame in FRAMES:
        ops += plan.frame(frame)
    return ops + plan.finish()


def wire(ops: list[Action]) -> bytes:
    return b"".join(op.data for op in ops if isinstance(op, Write))


def ids(ops: list[Action]) -> list[str | None]:
    return [frame.id for op in ops if isinstance(op, Write) for frame in op.frames]


def test_without_rules_every_byte_passes_and_the_end_is_polite() -> None:
    rules, _ = plans()
    ops = played(opened(rules))
    assert wire(ops) == b"".join(frame.raw for frame in FRAMES)
    assert ops[-1] == End(Ending.EOF)


def test_the_end_comes_right_after_the_frame_and_nothing_after_it() -> None:
    rules, fired = plans({"on": {"route": "stream"}, "after": {"frames": 2}, "end": "rst"})
    ops = played(opened(rules))
    assert ids(ops) == ["1", "2"]
    assert ops[-1] == End(Ending.RST)
    assert fired == [1]


def test_after_no_frames_the_end_comes_before_the_first() -> None:
    rules, _ = plans({"after": {"frames": 0}, "end": "fin"})
    assert played(opened(rules)) == [End(Ending.FIN)]


def test_a_point_that_is_never_reached_leaves_the_end_polite_and_the_rule_unfired() -> None:
    rules, fired = plans({"after": {"frames": 9}, "end": "rst"})
    assert played(opened(rules))[-1] == End(Ending.EOF)
    assert fired == []


def test_a_point_can_be_an_id_or_an_event() -> None:
    rules, _ = plans({"after": {"id": "3"}, "end": "fin"})
    assert ids(played(opened(rules))) == ["1", "2", "3"]


def test_rules_apply_one_after_the_other() -> None:
    rules, fired = plans(
        {"on": {"id": "2"}, "drop": True}, {"on": {"route": "stream"}, "strip_id": True}
    )
    ops = played(opened(rules))
    assert ids(ops) == [None] * 4
    assert fired == [2, 1]


def test_attempts_are_counted_per_route_and_with_a_job_per_job() -> None:
    rules, _ = plans({"on": {"job": "b", "attempt": 2}, "after": {"frames": 1}, "end": "fin"})
    lengths = [len(ids(played(opened(rules, job)))) for job in ("a", "b", "a", "b", "b")]
    assert lengths == [5, 5, 5, 1, 5]


def test_a_rule_acts_only_so_many_times() -> None:
    rules, _ = plans({"on": {"times": 2}, "after": {"frames": 1}, "end": "fin"})
    assert [len(ids(played(opened(rules)))) for _ in range(4)] == [1, 1, 5, 5]


def test_times_counts_frames_when_frames_are_picked() -> None:
    rules, fired = plans({"on": {"event": "training.log", "times": 2}, "drop": True})
    assert ids(played(opened(rules))) == ["3", "4", "5"]
    assert fired == [1, 1]


@pytest.mark.parametrize(
    ("wanted", "headers", "matches"),
    [
        ("2", {"last_event_id": "2"}, True),
        ("2", {"last_event_id": "3"}, False),
        ("é", {"last_event_id": "\xc3\xa9"}, True),
        ("*", {"last_event_id": "3"}, True),
        ("*", {}, False),
        ("!", {}, True),
        ("!", {"last_event_id": "3"}, False),
    ],
)
def test_a_header_selects_by_value_presence_or_absence(
    *, wanted: str, headers: dict[str, str], matches: bool
) -> None:
    rules, _ = plans(
        {"on": {"header": {"Last-Event-ID": wanted}}, "after": {"frames": 0}, "end": "fin"}
    )
    assert (len(ids(played(opened(rules, **headers)))) == 0) is matches


def test_a_chance_is_the_same_for_the_same_seed_and_another_for_another() -> None:
    def outcome(seed: int) -> list[int]:
        rules, _ = plans({"on": {"frame": "1-", "probability": 0.5}, "drop": True}, seed=seed)
        return [len(ids(played(opened(rules)))) for _ in range(40)]

    assert outcome(1) == outcome(1)
    assert outcome(1) != outcome(2)
    assert 0 < sum(outcome(1)) < 200


def test_a_chance_does_not_depend_on_what_other_exchanges_do() -> None:
    rule = {"on": {"job": "a", "frame": "1-", "probability": 0.5}, "drop": True}
    alone, _ = plans(rule)
    crowded, _ = plans(rule)
    crowded.exchange(Route.ME, None, "GET", ())
    other = crowded.exchange(Route.JOB, "b", "GET", ())
    other.frame(FRAMES[0])
    assert ids(played(opened(alone, "a"))) == ids(played(opened(crowded, "a")))


def test_a_reordered_frame_is_held_until_others_passed_or_the_end() -> None:
    rules, _ = plans({"on": {"frame": 1}, "reorder": 2}, {"on": {"frame": 5}, "reorder": True})
    assert ids(played(opened(rules))) == ["2", "3", "1", "4", "5"]


def test_coalesced_frames_leave_together_and_the_rest_before_the_end() -> None:
    rules, _ = plans({"on": {"route": "stream"}, "coalesce": 2})
    ops = played(opened(rules))
    assert [len(op.frames) for op in ops if isinstance(op, Write)] == [2, 2, 1]
    assert isinstance(ops[-1], End)


def test_a_rate_pauses_after_every_write_for_its_length() -> None:
    rules, _ = plans({"on": {"route": "stream"}, "rate": 1000})
    ops = opened(rules).frame(FRAMES[0])
    assert ops[1] == Pause(len(FRAMES[0].raw) / 1000)


def test_a_delay_before_picked_frames_stays_within_its_jitter() -> None:
    rules, _ = plans({"on": {"frame": "1-"}, "delay_ms": 10, "jitter_ms": 5})
    pauses = [op.seconds for op in played(opened(rules)) if isinstance(op, Pause)]
    assert len(pauses) == 5
    assert all(0.005 <= seconds <= 0.015 for seconds in pauses)
    assert len(set(pauses)) > 1


def test_a_stall_before_a_picked_frame_waits_at_its_gate() -> None:
    rules, _ = plans({"on": {"last": True}, "stall": {"gate": "g"}})
    plan = opened(rules)
    last = frame_of(b'id: 9\ndata: {"type":"training.completed"}\n\n')
    assert plan.frame(FRAMES[0]) == [Write(FRAMES[0].raw, (FRAMES[0],))]
    assert plan.frame(last)[0] == AwaitGate("g")


def test_mid_utf8_cuts_inside_a_character_and_loses_nothing() -> None:
    rules, _ = plans({"on": {"frame": "1-"}, "slice": "mid_utf8"})
    ops = opened(rules).frame(FRAMES[0])
    pieces = [op.data for op in ops if isinstance(op, Write)]
    assert len(pieces) == 2
    assert pieces[0].endswith(b"\xc3")
    assert b"".join(pieces) == FRAMES[0].raw


def test_mid_crlf_cuts_between_cr_and_lf() -> None:
    rules, _ = plans({"on": {"frame": "1-"}, "line_ending": "crlf", "slice": "mid_crlf"})
    pieces = [op.data for op in opened(rules).frame(FRAMES[0]) if isinstance(op, Write)]
    assert all(piece.endswith(b"\r") for piece in pieces[:-1])
    assert b"".join(pieces) == FRAMES[0].raw.replace(b"\n", b"\r\n")


def test_random_slices_are_seeded_and_lose_nothing() -> None:
    rules, _ = plans({"on": {"frame": "1-"}, "slice": "random"})
    ops = played(opened(rules))
    assert wire(ops) == b"".join(frame.raw for frame in FRAMES)
    assert len(ops) > 10


@pytest.mark.parametrize("damage", ["bits", "utf8", "json"])
def test_a_corrupted_frame_keeps_its_lines_and_changes_its_data(damage: str) -> None:
    rules, _ = plans({"on": {"frame": "1-"}, "corrupt": damage})
    for frame in FRAMES:
        changed = wire(opened(rules).frame(frame))
        assert changed != frame.raw
        assert changed.split(b"data:")[0] == frame.raw.split(b"data:")[0]
        assert changed.count(b"\n") == frame.raw.count(b"\n")
        assert changed.endswith(b"\n\n")


def test_a_byte_order_mark_opens_the_stream_once() -> None:
    rules, _ = plans({"on": {"route": "stream"}, "bom": True})
    assert wire(played(opened(rules))) == b"\xef\xbb\xbf" + b"".join(f.raw for f in FRAMES)


def test_a_cut_in_the_middle_of_a_frame_can_stall_and_go_on() -> None:
    rules, _ = plans({"after": {"frames": 1, "bytes": 3}, "stall": {"ms": 20}})
    ops = played(opened(rules))
    assert ops[1:4] == [
        Write(FRAMES[1].raw[:3]),
        Pause(0.02),
        Write(FRAMES[1].raw[3:], (FRAMES[1],)),
    ]
    assert wire(ops) == b"".join(frame.raw for frame in FRAMES)


def test_an_end_of_the_source_is_kept_when_no_rule_says_otherwise() -> None:
    rules, _ = plans()
    assert opened(rules).finish(Ending.FIN) == [End(Ending.FIN)]


def test_a_removed_rule_no_longer_acts() -> None:
    rules, _ = plans({"after": {"frames": 0}, "end": "fin"})
    assert rules.remove(1)
    assert not rules.remove(1)
    assert len(ids(played(opened(rules)))) == 5

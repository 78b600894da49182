"""The table, cell by cell: executed through the machines, and held to what it promises."""

import itertools

import pytest

from arkor_proto import LocalProtocolError
from arkor_proto._table import (
    JOINT,
    MACHINES,
    TABLE,
    Exchange,
    Ignored,
    Illegal,
    Job,
    JobSignal,
    Joint,
    Machines,
    Move,
    Signal,
    State,
    Stop,
    StopSignal,
    Stream,
    StreamSignal,
    next_state,
)

CELLS = [
    pytest.param(state, signal, id=f"{state.value} x {signal.value}")
    for states, signals in MACHINES
    for state, signal in itertools.product(states, signals)
]
TRAINER = [
    pytest.param(cell.values[0], cell.values[1], id=cell.id)
    for cell in CELLS
    if not isinstance(cell.values[0], Exchange)
]
ENDS = {Stream.CONCLUDED, Stream.ABORTED}
FROM_JOINT_RULES = {joint.then for joint in JOINT} - {JobSignal.START}


def standing(state: State) -> Machines:
    """Return machines of which one is in `state` and the others rest."""
    match state:
        case Job():
            return Machines(state)
        case Stream():
            return Machines(Job.CREATING, stream=state)
        case Stop():
            return Machines(Job.CREATING, stop=state)
        case _:
            raise AssertionError(state)


def test_every_pair_of_state_and_signal_has_a_cell_and_no_other_has() -> None:
    pairs = {(state, signal) for state, row in TABLE.items() for signal in row}
    assert pairs == {(cell.values[0], cell.values[1]) for cell in CELLS}


@pytest.mark.parametrize(("state", "signal"), CELLS)
def test_the_cell_leads_where_it_says(state: State, signal: Signal) -> None:
    match TABLE[state][signal]:
        case Move(to):
            assert next_state(state, signal) is to
        case Ignored():
            assert next_state(state, signal) is None
        case Illegal(why):
            with pytest.raises(LocalProtocolError, match=why):
                next_state(state, signal)


@pytest.mark.parametrize(("state", "signal"), CELLS)
def test_a_move_stays_within_its_machine(state: State, signal: Signal) -> None:
    cell = TABLE[state][signal]
    assert not isinstance(cell, Move) or type(cell.to) is type(state)


@pytest.mark.parametrize(("state", "signal"), CELLS)
def test_what_does_not_move_says_why(state: State, signal: Signal) -> None:
    cell = TABLE[state][signal]
    assert isinstance(cell, Move) or len(cell.why.split()) > 2


@pytest.mark.parametrize(("state", "signal"), TRAINER)
def test_the_machines_execute_the_cell(state: State, signal: Signal) -> None:
    machines = standing(state)
    before = machines.states
    match TABLE[state][signal]:
        case Move(to):
            assert machines.take(signal)[0] is signal
            assert to in machines.states or any(joint.when is signal for joint in JOINT)
        case Ignored():
            assert (machines.take(signal), machines.states) == ([], before)
        case Illegal():
            with pytest.raises(LocalProtocolError):
                machines.take(signal)
            assert machines.states == before


@pytest.mark.parametrize(
    ("states", "signals"), [pytest.param(*pair, id=pair[0].__name__) for pair in MACHINES]
)
def test_every_state_can_be_reached(states: type[State], signals: type[Signal]) -> None:
    every = [state for state in TABLE if isinstance(state, states)]
    reached = set(every[:1])
    for _ in TABLE:
        moves = [TABLE[state][signal] for state in reached for signal in signals]
        reached |= {cell.to for cell in moves if isinstance(cell, Move)}
    assert reached == set(every)


@pytest.mark.parametrize("signal", [s for _, signals in MACHINES for s in signals])
def test_every_signal_moves_something_somewhere(signal: Signal) -> None:
    assert any(isinstance(row.get(signal), Move) for row in TABLE.values())


@pytest.mark.parametrize("state", [Stream.CONCLUDED, Stream.ABORTED])
def test_an_end_is_left_by_nothing(state: State) -> None:
    assert not any(isinstance(cell, Move) for cell in TABLE[state].values())


@pytest.mark.parametrize("state", Stream)
def test_what_the_application_says_is_never_illegal_for_the_stream(state: Stream) -> None:
    said = [StreamSignal.FOLLOW, StreamSignal.ABORT, StreamSignal.LEAVE]
    assert not any(isinstance(TABLE[state][signal], Illegal) for signal in said)


@pytest.mark.parametrize("state", [*Job, *Stop])
def test_what_the_application_says_is_never_illegal_for_the_others(state: State) -> None:
    signal = JobSignal.START if isinstance(state, Job) else StopSignal.CANCEL
    assert not isinstance(TABLE[state][signal], Illegal)


@pytest.mark.parametrize("state", [state for state in Stream if state not in ENDS])
def test_an_abort_ends_every_wait_that_has_no_result(state: Stream) -> None:
    assert TABLE[state][StreamSignal.ABORT] == Move(Stream.ABORTED)


@pytest.mark.parametrize("state", [s for s in Stream if s not in {*ENDS, Stream.IDLE}])
def test_leaving_ends_every_wait_and_forgets_it(state: Stream) -> None:
    assert TABLE[state][StreamSignal.LEAVE] == Move(Stream.IDLE)


def test_an_abort_concerns_the_stream_alone() -> None:
    assert not any(joint.when is StreamSignal.ABORT for joint in JOINT)


JOINT_RULES = [
    (
        Machines(Job.UNSUBMITTED),
        StreamSignal.FOLLOW,
        (Job.CREATING, Stream.AWAITING_JOB, Stop.IDLE),
    ),
    (Machines(Job.CREATING), StreamSignal.FOLLOW, (Job.CREATING, Stream.AWAITING_JOB, Stop.IDLE)),
    (Machines(Job.ACCEPTED), StreamSignal.FOLLOW, (Job.ACCEPTED, Stream.OPENING, Stop.IDLE)),
    (Machines(Job.UNSUBMITTED), StopSignal.CANCEL, (Job.UNSUBMITTED, Stream.IDLE, Stop.IDLE)),
    (Machines(Job.CREATING), StopSignal.CANCEL, (Job.CREATING, Stream.IDLE, Stop.AWAITING_JOB)),
    (Machines(Job.ACCEPTED), StopSignal.CANCEL, (Job.ACCEPTED, Stream.IDLE, Stop.CANCELLING)),
    (
        Machines(Job.CREATING, Stream.AWAITING_JOB, Stop.AWAITING_JOB),
        JobSignal.ACCEPT,
        (Job.ACCEPTED, Stream.OPENING, Stop.CANCELLING),
    ),
    (
        Machines(Job.CREATING, Stream.AWAITING_JOB, Stop.AWAITING_JOB),
        JobSignal.REFUSE,
        (Job.UNSUBMITTED, Stream.IDLE, Stop.IDLE),
    ),
    (
        Machines(Job.CREATING, Stream.ABORTED, Stop.AWAITING_JOB),
        JobSignal.ACCEPT,
        (Job.ACCEPTED, Stream.ABORTED, Stop.CANCELLING),
    ),
]


@pytest.mark.parametrize(
    ("machines", "signal", "states"),
    [pytest.param(*rule, id=f"{rule[0].states}-{rule[1].value}") for rule in JOINT_RULES],
)
def test_the_machines_move_each_other_as_ruled(
    machines: Machines, signal: Signal, states: tuple[Job, Stream, Stop]
) -> None:
    standing_now = Machines(*machines.states)
    standing_now.take(signal)
    assert standing_now.states == states


@pytest.mark.parametrize(
    "joint", [pytest.param(joint, id=f"{joint.when}-{joint.given}") for joint in JOINT]
)
def test_every_joint_rule_can_come_up_and_moves(joint: Joint) -> None:
    assert isinstance(TABLE[joint.given].get(joint.then), Move) or any(
        isinstance(cell, Move) and isinstance(TABLE[cell.to].get(joint.then), Move)
        for row in TABLE.values()
        if (cell := row.get(joint.when)) is not None
    )


@pytest.mark.parametrize(
    "signal",
    [s for s in (*JobSignal, *StreamSignal, *StopSignal) if s not in FROM_JOINT_RULES],
)
def test_no_signal_ends_half_way_in_any_joint_state_that_makes_sense(signal: Signal) -> None:
    for states in itertools.product(Job, Stream, Stop):
        if not makes_sense(states):
            continue
        machines = Machines(*states)
        try:
            machines.take(signal)
        except LocalProtocolError:
            assert machines.states == states
        assert makes_sense(machines.states), (states, machines.states)


def makes_sense(states: tuple[Job, Stream, Stop]) -> bool:
    """Return whether a job that a wait awaits is being created, and only known jobs are acted on."""
    job, stream, stop = states
    waits = stream is Stream.AWAITING_JOB or stop is Stop.AWAITING_JOB
    resting = {Stream.IDLE, Stream.AWAITING_JOB, Stream.ABORTED}
    acts = stream not in resting or stop is Stop.CANCELLING
    return not (waits and job is not Job.CREATING) and not (acts and job is not Job.ACCEPTED)

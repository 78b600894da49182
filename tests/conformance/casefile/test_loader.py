"""Case files are read strictly, and every mistake gets a message that says what to write."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from conformance.casefile.loader import filled, load_cases, load_files
from conformance.casefile.model import (
    Case,
    Elapse,
    Operate,
    Until,
    Verb,
)
from conformance.casefile.nonces import Nonces
from conformance.casefile.requirements import load_requirements
from conformance.strict_data import (
    Json,
    ReadingError,
    Table,
    parse_json,
)
from tests.conformance.sample_case import HEAD, one, read

SLIPS = {
    "conects = 3": "unknown key 'conects'; did you mean 'connects'?",
    "connects = '3'": "'connects' is a string, not a whole number",
    "requests = {strem = 1}": "'strem' is unknown; did you mean 'stream'?",
    "never = ['stream#1.closd']": "'stream#1.closd' does not name an event",
    f"never = ['stream#{'9' * 5_000}.closed']": "does not name an event",
    f"closed = ['stream#{'9' * 5_000}']": "is not an exchange; write it like stream#2",
    "never = ['steam#1.closed']": "'steam' is unknown; did you mean 'stream'?",
    "never = ['weit.settled']": "'weit' is unknown; did you mean 'wait'?",
    "callbacks = ['lock']": "'lock' is unknown; known are checkpoint",
    "result = {wait = {error = 'gaveup'}}": "'gaveup' is unknown; did you mean 'gave_up'?",
    "result = {wait = {}}": "needs one of 'ok', 'status', 'error'",
    "result = {cancel = {ok = true}}": "'cancel' is unknown; only 'wait' is known",
    "sleeps = [true]": "a boolean; write a number of milliseconds",
    "sleeps = [{least = 1}]": "unknown key 'least'",
    "last_event_ids = [1]": "a number in the list; write a string, or false for no header",
    "before = [['stream#1']]": "not a pair; name two events, the earlier one first",
    "closed = ['stream']": "'stream' is not an exchange; write it like stream#2",
    "request = {'stream#1' = {}}": "expects nothing of the request; name a part of it",
    "": "nothing is expected, so nothing could fail",
}
BODY = "[[step]]\ndo = 'wait'\n[expect]\n"


@pytest.mark.parametrize(("slip", "answer"), SLIPS.items())
def test_a_slip_in_what_is_expected_is_answered_with_the_right_word(slip: str, answer: str) -> None:
    with pytest.raises(ReadingError, match=r"budget.toml: budget.small") as raised:
        read(BODY + slip)
    assert answer in str(raised.value)


STEPS = {
    "do = 'wiat'": "did you mean 'wait'?",
    "do = 'sleep'\nms = 5": "a case never sleeps; 'until' waits for an event",
    "do = 'wait'\nname = 'start'": "'start' names another operation; write 'wait'",
    "do = 'await'\nof = 'wait'": "'wait' is unknown",
    "do = 'wait'\nafter = 'stream#0'": "does not name an event",
    "do = 'wait'\nwhen = 'now'": "unknown key 'when'",
}


@pytest.mark.parametrize(("step", "answer"), STEPS.items())
def test_a_slip_in_a_step_is_answered_with_the_right_word(step: str, answer: str) -> None:
    with pytest.raises(ReadingError) as raised:
        read(f"[[step]]\n{step}\n[expect]\nconnects = 1")
    assert answer in str(raised.value)


HEADS = {
    HEAD.replace("budget.small", "Budget"): "is not an id",
    HEAD.replace("ARK-BUD-1", "ARK-BUD-9"): "no such rule; did you mean 'ARK-BUD-",
    HEAD.replace("requires", "require"): "'requires' is missing",
    HEAD + "needs = ['clock.virtuel']": "did you mean 'clock.virtual'?",
    HEAD + "level = 'SHALL'": "'SHALL' is unknown",
    HEAD + "profiles = ['2026-06']": "'2026-06' is unknown; did you mean",
    HEAD.replace("BUD-1", "BUD-2") + "profiles = ['hardened']": "lacks a rule",
    HEAD + "[config]\nmax_atempts = 1": "did you mean 'max_attempts'?",
    HEAD + "[config]\nrng = [1.0]": "not a number in [0, 1)",
    HEAD + "[server]\nstreams = []": "did you mean 'stream'?",
    HEAD + "[premise]\nreached = ['stream#1.closd']": "'stream#1.closd' does not name an event",
    HEAD + "[premise]\ncallbacks = ['lgo']": "did you mean 'log'?",
    HEAD + "[premise]\nlast_event_ids = [1]": "a string, or false for no header",
    HEAD + "[applies.request.'stream']\nmethod = 'GET'": "'stream' is",
    HEAD + "[[server.create]]\njson = {job = {id = 'job-1'}}": "a whole job has orgId",
    HEAD + "why = 1": "is not TOML",
    HEAD + "since = 2026-01-01": "is a date or a time; write it as a string",
}


@pytest.mark.parametrize(("head", "answer"), HEADS.items())
def test_a_slip_in_the_head_is_answered_with_the_right_word(head: str, answer: str) -> None:
    with pytest.raises(ReadingError) as raised:
        read("\n[expect]\nconnects = 1", head)
    assert answer in str(raised.value)


def test_profiles_default_to_those_that_have_all_the_rules() -> None:
    assert one("[expect]\nconnects = 0", HEAD.replace("BUD-1", "BUD-2")).profiles == ("2026-07",)


def test_operations_are_numbered_by_verb() -> None:
    steps = one(
        "[[step]]\ndo='wait'\n[[step]]\ndo='cancel'\n[[step]]\ndo='wait'\n[expect]\nconnects=0"
    )
    assert [step.name for step in steps.steps if isinstance(step, Operate)] == [
        "wait",
        "cancel",
        "wait#2",
    ]


def test_steps_are_values() -> None:
    case = one(
        "step = [{do = 'start', detach = true}, {do = 'until', event = 'create#1.requested'}, "
        "{do = 'elapse', ms = 5}]\n[expect]\nconnects = 0"
    )
    assert case.steps == (
        Operate(verb=Verb.START, name="start", detached=True),
        Until(events=("create#1.requested",)),
        Elapse(ms=5),
    )


def test_a_template_becomes_one_case_per_value_with_stable_ids() -> None:
    cases = read(
        "each = {status = [401, 403]}\n[[server.stream]]\nstatus = '{status}'\n"
        "body = 'code {status}, {other}'\n[expect]\nconnects = 1"
    )
    assert [case.id for case in cases] == ["budget.small[401]", "budget.small[403]"]
    assert cases[1].server == {"stream": [{"status": 403, "body": "code 403, {other}"}]}


def test_a_row_of_a_template_may_change_the_profiles() -> None:
    cases = read(
        "each = [{key = 'a', n = 1}, {key = 'b', n = 2, profiles = ['hardened']}]\n"
        "[config]\nmax_attempts = '{n}'\n[expect]\nconnects = 1"
    )
    assert [(case.id, case.profiles[0], case.config) for case in cases] == [
        ("budget.small[a]", "2026-05", {"max_attempts": 1}),
        ("budget.small[b]", "hardened", {"max_attempts": 2}),
    ]


def test_null_can_be_said_in_toml() -> None:
    assert one("[config.input]\nloraR = '<null>'\n[expect]\nconnects = 0").config == {
        "input": {"loraR": None}
    }


def test_an_assertion_can_cite_some_of_the_rules() -> None:
    head = HEAD.replace('["ARK-BUD-1"]', '["ARK-BUD-1", "ARK-BUD-2"]')
    case = one("[expect]\nconnects = 0\nsleeps = []\ncites = {sleeps = ['ARK-BUD-2']}", head)
    assert [each.requires for each in case.expect] == [("ARK-BUD-1", "ARK-BUD-2"), ("ARK-BUD-2",)]


def test_the_whole_catalogue_is_read_and_every_id_is_unique() -> None:
    cases = load_cases(load_requirements())
    assert len({case.id for case in cases}) == len(cases) > 150


def jobs_of(case: Case) -> Iterator[Mapping[str, Json]]:
    """Yield every job that the backend of a case sends because the case says so."""
    for answer in Table("server", case.server).tables("create"):
        body = answer.values.get("json", answer.values.get("body"))
        with suppress(ValueError):  # data that is not JSON contains no job
            body = parse_json(body) if isinstance(body, str) else body
        if isinstance(body, Mapping) and isinstance(job := body.get("job"), Mapping):
            yield job


def test_a_job_in_an_answer_to_a_create_is_the_one_that_was_asked_for() -> None:
    """A client may compare the two, and refuse a job that is not its own."""
    known = load_requirements()
    shown = 0
    for case in (filled(each, Nonces("0" * 16), known) for each in load_cases(known)):
        training = Table("config", case.config).table("input")
        for job in jobs_of(case):
            table = Table(case.id, job)
            assert table.text("name") == case.config["name"], case.id
            assert table.table("config").text("model") == training.text("model"), case.id
            assert ("error" in job) is (job["status"] == "failed"), case.id
            shown += 1
    assert shown > 20


def test_an_id_that_two_files_have_is_refused(tmp_path: Path) -> None:
    whole = HEAD + "[[step]]\ndo = 'start'\n[expect]\nrequests = {create = 1}\n"
    files = [tmp_path / name for name in ("a.toml", "b.toml")]
    for file in files:
        file.write_text(whole)
    with pytest.raises(ReadingError, match=r"b\.toml: .* is in .*a\.toml as well"):
        load_files(load_requirements(), files)
    assert len(load_files(load_requirements(), [files[0], files[0]])) == 1


def test_an_id_that_a_file_has_twice_is_refused(tmp_path: Path) -> None:
    one = HEAD.replace("id =", "[[case]]\nid =", 1)
    body = "step = [{ do = 'start' }]\nexpect.requests = {create = 1}\n"
    (tmp_path / "a.toml").write_text((one + body) * 2)
    with pytest.raises(ReadingError, match="appears twice"):
        load_files(load_requirements(), [tmp_path / "a.toml"])


GATED = """
server.stream = [{ frames = [{ id = "1", data = "x", gate = "mid" }] }]
step = [{ do = "start" }, { do = "open_gate", gate = "GATE" }]
expect.connects = 0
"""


def test_a_case_names_each_of_its_gates_on_both_ends() -> None:
    one(GATED.replace("GATE", "mid"))
    with pytest.raises(ReadingError, match=r"opens the gate 'mdi', .* did you mean 'mid'"):
        one(GATED.replace("GATE", "mdi"))
    with pytest.raises(ReadingError, match="waits at the gate 'mid', and no step opens it"):
        one(GATED.replace(', { do = "open_gate", gate = "GATE" }', ""))
    one(GATED.replace(', { do = "open_gate", gate = "GATE" }', "").replace("mid", "never"))

"""Case files are read strictly, and every mistake gets a message that says what to write."""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from conformance.casefile.loader import filled, load_cases, load_files
from conformance.casefile.model import Case, Elapse, Operate, Until, Verb
from conformance.casefile.nonces import Nonces
from conformance.casefile.requirements import load_requirements
from conformance.strict_data import Json, ReadingError, Table, parse_json
from tests.conformance.catalogue import all_cases
from tests.conformance.sample_case import HEAD, one, read

SLIPS = {
    "conects = 3": "expect: 'conects' is unknown; did you mean 'connects'?",
    "connects = '3'": "expect.connects: '3' (string) is not a whole number",
    "requests = {strem = 1}": "'strem' is unknown; did you mean 'stream'?",
    "never = ['stream#1.closd']": "'stream#1.closd' does not name an event",
    f"never = ['stream#{'9' * 5_000}.closed']": "does not name an event",
    f"closed = ['stream#{'9' * 5_000}']": "does not name an exchange; write it like stream#2",
    "never = ['steam#1.closed']": "'steam' is unknown; did you mean 'stream'?",
    "never = ['weit.settled']": "'weit' is unknown; did you mean 'wait'?",
    "callbacks = ['lock']": "'lock' is unknown; write one of checkpoint",
    "result = {wait = {error = 'gaveup'}}": "'gaveup' is unknown; did you mean 'gave_up'?",
    "result = {wait = {}}": "needs either 'error' or at least one of 'ok' and 'status'",
    "result = {cancel = {ok = true}}": "'cancel' is unknown; write 'wait'",
    "sleeps = [true]": "expect.sleeps 1: True (boolean) is not a number",
    "sleeps = [{least = 1}]": "expect.sleeps 1: 'least' is unknown",
    "last_event_ids = [1]": "expect.last_event_ids 1: 1 (integer) is not a string, or false",
    "before = [['stream#1']]": "name two events",
    "closed = ['stream']": "'stream' does not name an exchange; write it like stream#2",
    "request = {'stream#1' = {}}": "expects nothing of the request; give a part to check",
    "": "expects nothing, so it could never fail",
}
BODY = "[[step]]\ndo = 'wait'\n[expect]\n"


@pytest.mark.parametrize(("slip", "answer"), SLIPS.items())
def test_a_slip_in_what_is_expected_is_answered_with_the_right_word(slip: str, answer: str) -> None:
    with pytest.raises(ReadingError, match=r"budget.toml: budget.small") as raised:
        read(BODY + slip)
    assert answer in str(raised.value)


STEPS = {
    "do = 'wiat'": "did you mean 'wait'?",
    "do = 'sleep'\nms = 5": "a case cannot sleep; use 'until' to wait for an event",
    "do = 'wait'\nname = 'start'": "'start' is not a name for the operation 'wait'; write 'wait'",
    "do = 'await'\nof = 'wait'": "'wait' is unknown",
    "do = 'wait'\nafter = 'stream#0'": "does not name an event",
    "do = 'wait'\nwhen = 'now'": "step 1: 'when' is unknown",
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
    HEAD + "[config]\nrng = [1.0]": "config.rng 1: 1.0 is not below 1",
    HEAD + "[server]\nstreams = []": "did you mean 'stream'?",
    HEAD + "[premise]\nreached = ['stream#1.closd']": "'stream#1.closd' does not name an event",
    HEAD + "[premise]\ncallbacks = ['lgo']": "did you mean 'log'?",
    HEAD + "[premise]\nlast_event_ids = [1]": "1 (integer) is not a string, or false",
    HEAD + "[applies.request.'stream']\nmethod = 'GET'": "'stream' does not name",
    HEAD + "[[server.create]]\njson = {job = {id = 'job-1'}}": "the job object also needs orgId",
    HEAD + "why = 1": "TOML: Cannot overwrite a value",
    HEAD + "since = 2026-01-01": "(date) is not a JSON value; write it as a string",
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
    (rule,) = cases[1].server.scenario.rules
    assert (rule.head.status, rule.head.body) == (403, "code 403, {other}")


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
    """Yield every job that the backend of a case shows by a word of the case."""
    for answer in Table("case", case.source).table("server").tables("create"):
        body = answer.values.get("json", answer.values.get("body"))
        with suppress(ValueError):  # data that is not JSON contains no job
            body = parse_json(body) if isinstance(body, str) else body
        if isinstance(body, Mapping) and isinstance(job := body.get("job"), Mapping):
            yield job


def test_a_job_in_an_answer_to_a_create_is_the_one_that_was_asked_for() -> None:
    """A client may compare the two, and refuse a job that is not its own."""
    shown = 0
    for case in (filled(each, Nonces("0" * 16)) for each in all_cases()):
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
    with pytest.raises(ReadingError, match=r"b\.toml: .* is also in .*a\.toml"):
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
    with pytest.raises(ReadingError, match="waits at the gate 'mid', but no step opens it"):
        one(GATED.replace(', { do = "open_gate", gate = "GATE" }', ""))
    one(GATED.replace(', { do = "open_gate", gate = "GATE" }', "").replace("mid", "never"))


def test_every_mistake_of_a_file_is_told_with_its_place_and_line() -> None:
    body = """
[config]
max_atempts = 2
[[server.stream]]
end = "eoff"
[[server.create]]
statsu = 500
[[step]]
do = "wiat"
[expect]
connects = "3"
"""
    with pytest.raises(ReadingError) as raised:
        read(body)
    at = "budget.toml: budget.small: "
    assert [each.removeprefix(at) for each in raised.value.mistakes] == [
        "config: 'max_atempts' is unknown; did you mean 'max_attempts'? (line 7)",
        "server.stream 1.end: 'eoff' is unknown; did you mean 'eof'? (line 9)",
        "server.create 1: 'statsu' is unknown; did you mean 'status'? (line 11)",
        "step 1.do: 'wiat' is unknown; did you mean 'wait'? (line 13)",
        "expect.connects: '3' (string) is not a whole number from 0 to 9007199254740992 (line 15)",
    ]


def test_what_makes_no_sense_together_in_a_server_is_told_where_it_is() -> None:
    body = (
        "server.stream = [{status = 503}, {end = 'eof', after = {frames = 1}, framing = 'close'}, "
        "{body = 'a', json = {}}]\n[server.scenario]\nrule = [{end = 'eof'}, {body = '', json = 1}]"
        "\n[expect]\nconnects = 1"
    )
    with pytest.raises(ReadingError) as raised:
        read(body)
    places = [mistake.partition("budget.small: ")[2] for mistake in raised.value.mistakes]
    assert [each.partition(" cannot be combined")[0] for each in places] == [
        "server.stream 3: body and json",
        "server.scenario.rule 2: body and json",
    ]


def test_a_mistake_of_a_template_is_told_once() -> None:
    with pytest.raises(ReadingError) as raised:
        read("each = {n = [1, 2, 3]}\n[config]\nmax_attempt = '{n}'\n[expect]\nconnects = 1")
    assert len(raised.value.mistakes) == 1
    assert "budget.small[1]: config: 'max_attempt' is unknown" in raised.value.mistakes[0]


def test_placeholders_of_a_server_are_values_that_are_filled_in_when_it_is_played() -> None:
    case = one(
        "server.stream = [{redirect = 'http://localhost:{port}/{job}'}]\n[expect]\nconnects = 1"
    )
    (before,) = case.server.scenario.rules
    played = filled(case, Nonces("0" * 16)).server.scenario
    assert before.head.redirect == "http://localhost:{port}/{job}"
    assert played.rules[0].head.redirect == f"http://localhost:{{port}}/job-{'0' * 16}-1"
    assert played.backend.job_prefix == f"job-{'0' * 16}-"

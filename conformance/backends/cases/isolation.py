"""Isolation cases: who may see and change what, on every route and for every stream request."""

from typing import Final

from conformance.backends.account import NotReached
from conformance.backends.answer import Answer
from conformance.backends.declare import case
from conformance.backends.follower import Follower
from conformance.backends.play import Play

_UNAUTHORISED: Final = 401
_REFUSED: Final = (403, 404)
_PASSING: Final = (401, 403, 410, 426)
_STRANGE: Final = "arkor-conformance-no-such-token"
_OPENS: Final = 10
_TOKENS: Final = {"without a token": None, "with an unknown token": _STRANGE}


async def _job(play: Play) -> str:
    """Return a job that exists and has events."""
    return (await play.job_with_events())[0]


async def _no_entry(play: Play, route: str) -> None:
    job = await _job(play) if route != "create" else ""
    for how, token in _TOKENS.items():
        if route == "create":
            answer = await play.create(expected=False, token=token)
        elif route == "stream":
            follower = await play.follow(job, token=token)
            if follower.status and follower.status < 300:  # noqa: PLR2004 - HTTP
                play.stop("11", f"no 2xx {how}", play.got(follower))
            await follower.leave()
            continue
        elif route == "cancel":
            answer = await play.ask("cancel", play.target.job(job, "/cancel"), "POST", token=token)
        else:
            answer = await play.ask("job", play.target.job(job), token=token)
        if answer.ok:
            play.stop("11", f"no 2xx {how}", answer.told, answer.event)


@case("isolation.create-needs-a-token", "11")
async def create_needs_a_token(play: Play) -> None:
    """If create requests needed no valid token, a stranger could spend another user's money."""
    await _no_entry(play, "create")


@case("isolation.job-needs-a-token", "11")
async def job_needs_a_token(play: Play) -> None:
    """If the job route needed no valid token, anyone could see what a user is training."""
    await _no_entry(play, "job")


@case("isolation.stream-needs-a-token", "11")
async def stream_needs_a_token(play: Play) -> None:
    """If the stream route needed no valid token, anyone could watch a training run for hours."""
    await _no_entry(play, "stream")


@case("isolation.cancel-needs-a-token", "11", words=("job",))
async def cancel_needs_a_token(play: Play) -> None:
    """A stranger must not be able to stop a job."""
    await _no_entry(play, "cancel")


@case("isolation.401-says-how", "12")
async def unauthorised_says_how(play: Play) -> None:
    """A 401 must name the authentication scheme to use (RFC 9110 §15.5.2)."""
    job = await _job(play)
    looked = False
    for token in _TOKENS.values():
        answer = await play.ask("job", play.target.job(job), token=token)
        if answer.status == _UNAUTHORISED:
            looked = True
            if not answer.header("www-authenticate"):
                play.stop("12", "WWW-Authenticate", "a 401 without the header", answer.event)
        follower = await play.follow(job, token=token)
        if follower.status == _UNAUTHORISED:
            looked = True
            if not follower.header("www-authenticate"):
                play.stop(
                    "12",
                    "WWW-Authenticate",
                    "a 401 without the header, in response to the stream request",
                )
    if not looked:
        raise NotReached("no request got a 401")


@case("isolation.resume-with-a-bad-token", "13")
async def resume_with_a_bad_token(play: Play) -> None:
    """A cursor does not replace a token: the backend must authorise every stream request."""
    job, ids = await play.job_with_events()
    if not ids:
        raise NotReached("the job has no event to resume from")
    for token in _TOKENS.values():
        follower = await play.follow(job, ids[0], token=token)
        await _gets_nothing(play, "13", follower)


async def _gets_nothing(play: Play, rule: str, follower: Follower) -> None:
    if follower.is_stream:
        await follower.until(lambda each: bool(each.frames), min(1.0, play.bounds.event))
        if follower.frames:
            play.stop(rule, "no event", play.got(follower))
        play.stop(rule, "401, 403 or 404", f"{follower.status} and an open stream")


async def _other(play: Play) -> str:
    if not play.target.other_token:
        raise NotReached("no token for another tenant is set; set ARKOR_OTHER_TOKEN")
    return play.target.other_token


def _shut(play: Play, rule: str, answer: Answer) -> None:
    if answer.status not in _REFUSED:
        play.stop(rule, "403 or 404", answer.told, answer.event)


@case("isolation.other-tenant-sees-no-job", "14")
async def other_tenant_sees_no_job(play: Play) -> None:
    """Job ids such as job-1 and job-2 are easy to guess, so an id alone must not give access."""
    token = await _other(play)
    _shut(play, "14", await play.ask("job", play.target.job(await _job(play)), token=token))


@case("isolation.other-tenant-follows-no-job", "14")
async def other_tenant_follows_no_job(play: Play) -> None:
    """If all tenants share one event bus, each can see the events of the others."""
    token = await _other(play)
    follower = await play.follow(await _job(play), token=token)
    await _gets_nothing(play, "14", follower)
    if follower.status not in _REFUSED:
        play.stop("14", "403 or 404", play.got(follower))


@case("isolation.other-tenant-cancels-no-job", "14", words=("job",))
async def other_tenant_cancels_no_job(play: Play) -> None:
    """Another tenant must not be able to stop a job."""
    token, job = await _other(play), await play.quiet_job()
    answer = await play.ask("cancel", play.target.job(job, "/cancel"), "POST", token=token)
    _shut(play, "14", answer)
    status = (await play.look(job)).job_status
    if status == "cancelled":
        play.stop("14", "the job to continue", "status cancelled", answer.event)


@case("isolation.other-org", "15")
async def other_org(play: Play) -> None:
    """A job belongs to one organisation, and must not be visible from another."""
    job = await _job(play)
    _shut(play, "15", await play.ask("job", play.target.job(job, org="arkor-conformance-other")))


@case("isolation.other-project", "15")
async def other_project(play: Play) -> None:
    """A job belongs to one project, and must not be visible from another."""
    job = await _job(play)
    path = play.target.job(job, project="arkor-conformance-other")
    _shut(play, "15", await play.ask("job", path))


@case("isolation.stream-of-another-org", "15")
async def stream_of_another_org(play: Play) -> None:
    """A stream stays open for hours, so the stream route must check the organisation too."""
    follower = await play.follow(await _job(play), org="arkor-conformance-other")
    await _gets_nothing(play, "15", follower)
    if follower.status not in _REFUSED:
        play.stop("15", "403 or 404", play.got(follower))


@case("isolation.cancel-in-another-project", "15", words=("job",))
async def cancel_in_another_project(play: Play) -> None:
    """Cancelling a job cannot be undone, so the cancel route must check the project too."""
    job = await play.quiet_job()
    path = play.target.job(job, "/cancel", project="arkor-conformance-other")
    answer = await play.ask("cancel", path, "POST")
    _shut(play, "15", answer)
    if (await play.look(job)).job_status == "cancelled":
        play.stop("15", "the job to continue", "status cancelled", answer.event)


@case("isolation.create-in-an-unknown-project", "15")
async def create_in_an_unknown_project(play: Play) -> None:
    """A typo in the project must not create a job that its owner cannot find."""
    answer = await play.create(expected=False, project="arkor-conformance-other")
    if not answer.refuses:
        play.stop("15", "a 4xx", answer.told, answer.event)


@case("isolation.no-passing-refusal", "5")
async def no_passing_refusal(play: Play) -> None:
    """Clients give up on a 401, 403, 410 or 426, so a temporary problem needs another status."""
    job = await _job(play)
    refused: list[int] = []
    for _ in range(_OPENS):
        follower = await play.follow(job)
        if follower.status in _PASSING:
            refused.append(follower.status)
        elif refused:
            play.stop(
                "5",
                "a status that clients retry, such as 503",
                f"{refused[0]}, and later {follower.status}",
            )
        await follower.leave()
    if refused:
        raise NotReached(f"every stream request was refused, the first one with {refused[0]}")


@case("isolation.revoked-token", "16", words=("job", "emit", "finish", "revoke"), alone=True)
async def revoked_token(play: Play) -> None:
    """Once a leaked token is revoked, the streams opened with it must not stay open for hours."""
    said = None if play.control is None else play.control.said
    if said is None or not (said.other_token and said.other_org and said.other_project):
        raise NotReached(
            "the control program did not return all of other_token, other_org and other_project"
        )
    token, org, project = said.other_token, said.other_org, said.other_project
    made = await play.create(token=token, org=org, project=project)
    if not made.job_id:
        raise NotReached(f"the backend did not let the other tenant create a job: {made.told}")
    follower = await play.follow(made.job_id, token=token, org=org, project=project)
    if not follower.is_stream:
        raise NotReached(
            f"the response to the stream request ({follower.status}) was not an event stream"
        )
    await play.make("revoke", token=token)
    ended = await follower.until_end(play.bounds.revoked)
    if follower.terminal is None:  # the revoked token cannot cancel the job
        await play.make("finish", job=made.job_id)
    play.ledger.over(made.job_id)
    if not ended:
        play.stop(
            "16",
            f"the end of the stream within {play.bounds.revoked:g} s",
            "a stream that is still open",
        )
    if follower.terminal is not None:
        raise NotReached("the job ended before the revocation could end its stream")

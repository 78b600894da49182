"""The tenants of a backend: which tokens it accepts, and what each token gives access to."""

from http import HTTPStatus
from typing import Final

from attrs import define, field

from mock_server.backend.answers import Reply, refuse
from mock_server.backend.jobs import Job
from mock_server.redaction import quoted
from mock_server.requests import Request, bearer_of
from mock_server.scenario.behaviour import Tenancy, Tenant
from mock_server.scenario.model import BackendPlan
from mock_server.scenario.vocabulary import Route

_NOWHERE: Final = ("org-1", "project-1")
_IN_PROJECT: Final = frozenset({Route.CREATE, Route.STREAM, Route.CANCEL, Route.JOB})
_ANYWHERE: Final = frozenset({Route.ME, Route.CHAT})


@define
class Tenants:
    """The tokens that a backend accepts, and the projects that each token gives access to.

    Without `tenants` in the scenario, every token gives access to everything.
    """

    _plan: BackendPlan
    _known: dict[str, Tenant] = field(init=False, repr=False)
    _reached: dict[str, set[tuple[str, str]]] = field(init=False, repr=False)
    """Maps each token to the (organisation, project) pairs that it gives access to."""
    _revoked: set[str] = field(factory=set[str], init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        tenants = self._plan.tenants
        self._known = {tenant.token: tenant for tenant in tenants}
        self._reached = {
            tenant.token: {(tenant.org, project) for project in tenant.projects}
            for tenant in tenants
        }

    @property
    def home(self) -> tuple[str, str]:
        """The organisation and project of the jobs that are not created by requests."""
        first = next(iter(self._plan.tenants), None)
        return _NOWHERE if first is None else (first.org, first.projects[0])

    def revoke(self, token: str) -> bool:
        """Stop accepting a token; return whether the open streams that use it must be ended."""
        self._revoked.add(token)
        return self._plan.authenticate and self._plan.tenancy is Tenancy.CHECKED

    def admits(self, request: Request) -> bool:
        """Return whether a request has a valid token or does not need one."""
        plan = self._plan
        if not plan.authenticate or request.route is Route.ANONYMOUS or self._overlooks(request):
            return True
        token = bearer_of(request)
        if not token or token in self._revoked:
            return False
        if self._known:
            return token in self._known
        return plan.token is None or token == plan.token

    def tenant(self, request: Request) -> Tenant | None:
        """Return the tenant that sent a request; None if it is unknown or not checked."""
        if self._plan.tenancy is Tenancy.IGNORED or self._overlooks(request):
            return None
        return self._known.get(bearer_of(request))

    def refusal(self, request: Request) -> Reply | None:
        """Refuse a request about an organisation or a project that its token gives no access to."""
        if self._known and request.route is Route.ANONYMOUS:
            return refuse(
                HTTPStatus.FORBIDDEN, "this backend has tenants and issues no anonymous tokens"
            )
        tenant = self.tenant(request)
        if tenant is None or request.route in _ANYWHERE:
            return None
        org = request.query.get("orgSlug", "")
        project = request.query.get("projectSlug", "")
        inside = request.route in _IN_PROJECT
        unreached = inside and (org, project) not in self._reached[tenant.token]
        problems = (
            (not org, HTTPStatus.BAD_REQUEST, "the query has no orgSlug"),
            (
                org != tenant.org,
                HTTPStatus.FORBIDDEN,
                f"the token gives no access to the organisation {quoted(org)}",
            ),
            (inside and not project, HTTPStatus.BAD_REQUEST, "the query has no projectSlug"),
            (unreached, HTTPStatus.NOT_FOUND, f"project {quoted(project)} not found"),
        )
        return next((refuse(status, why) for wrong, status, why in problems if wrong), None)

    def sees(self, request: Request, job: Job) -> bool:
        """Return whether a request has access to a job, judging by its token and its query."""
        tenant = self.tenant(request)
        if tenant is None:
            return True
        named = (request.query.get("orgSlug"), request.query.get("projectSlug"))
        where = (job.org, job.project)
        return where in self._reached[tenant.token] and (
            request.route not in _IN_PROJECT or named == where
        )

    def add_project(self, request: Request, org: str, slug: str) -> None:
        """Give a request's token access to the project that the request created."""
        tenant = self.tenant(request)
        if tenant is not None:
            self._reached[tenant.token].add((org, slug))

    def _overlooks(self, request: Request) -> bool:
        """Return whether the request resumes a stream and its token is therefore not checked."""
        return (
            self._plan.tenancy is Tenancy.FIRST_OPEN
            and request.route is Route.STREAM
            and request.header("last-event-id") is not None
        )

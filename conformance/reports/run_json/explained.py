"""Turn the diagnosis of a run into plain data: its causes, and how each failure begins."""

from collections.abc import Mapping, Sequence

from attrs import frozen

from conformance.diagnosis.causes import Cause, Failure
from conformance.diagnosis.diagnose import Diagnosis
from conformance.diagnosis.parting import Side
from conformance.reports.run_json.telling import LONGEST_LINE, Events, Telling
from conformance.strict_data import Json
from conformance.verdict.result import CaseResult


@frozen
class Explained:
    """The diagnosis of a run; the index of a result gives its failure and its cause."""

    diagnosis: Diagnosis
    results: Sequence[CaseResult]
    failures: Mapping[int, Failure]
    causes_of: Mapping[int, int]
    """Maps the index of a result to the index of its cause."""

    @classmethod
    def of(cls, diagnosis: Diagnosis, results: Sequence[CaseResult]) -> "Explained":
        """Index the diagnosis by the position of each result in `results`."""
        return cls(
            diagnosis,
            results,
            {failure.place: failure for failure in diagnosis.failures},
            {
                failure.place: place
                for place, cause in enumerate(diagnosis.causes)
                for failure in cause.failures
            },
        )

    def causes(self) -> Sequence[Json]:
        """Return the causes as plain data, in the order of the diagnosis."""
        return [self._cause(each) for each in self.diagnosis.causes]

    def _cause(self, cause: Cause) -> Json:
        like = cause.resembles
        telling = Telling.of(self.results[cause.failures[0].place], Events())
        return {
            "rule": cause.rule,
            "kind": telling.text(cause.begins.kind, LONGEST_LINE),
            "occasion": cause.begins.occasion,
            "said": telling.text(cause.begins.said, LONGEST_LINE),
            "alike": cause.alike,
            "warning": not cause.fails,
            "follows": cause.follows,
            "resembles": None if like is None else {"name": like.name, "what": like.what},
            "results": [failure.place for failure in cause.failures],
        }

    def parted(self, place: int) -> int | None:
        """Return the number of the event at which the client leaves the reference, or None."""
        failure = self.failures.get(place)
        return None if failure is None or not failure.parting else failure.parting.client.seq

    def result(self, place: int, events: Events) -> Mapping[str, Json]:
        """Return the diagnosis of a result: its cause, first wrong step and reference trace."""
        failure = self.failures.get(place)
        if failure is None:
            return {"cause": None, "begins": None, "reference": None}
        telling = Telling.of(self.results[place], events)
        reference = failure.reference
        parting = failure.parting
        there = None if parting is None else parting.reference.seq
        own = None if reference is None else Telling.of(reference, events, there)
        return {
            "cause": self.causes_of[place],
            "begins": self._begins(failure, telling),
            "reference": None if own is None else own.whole_trace(),
        }

    def _begins(self, failure: Failure, telling: Telling) -> Json:
        begins, parting = failure.begins, failure.parting
        return {
            "kind": telling.text(begins.kind, LONGEST_LINE),
            "occasion": begins.occasion,
            "said": telling.text(begins.said, LONGEST_LINE),
            "client": None if parting is None else _side(parting.client),
            "reference": None if parting is None else _side(parting.reference),
        }


def _side(side: Side) -> Json:
    return {"event": side.seq, "cell": str(side.cell)}

"""The results of simulations, as JSON."""

from collections.abc import Mapping, Sequence

from conformance.simulate.faults import Faults
from conformance.simulate.fleet import FleetResult, peak_rate
from conformance.simulate.search import Searched
from conformance.strict_data import Json


def of_search(result: Searched) -> Mapping[str, Json]:
    """Return the result of a search; `shrunk` has only the faults needed to break a promise."""
    found = result.found
    return {
        "profile": result.search.profile.name,
        "seed": result.search.seed,
        "jobs": result.jobs,
        "job_hours": round(result.hours, 3),
        "seconds": round(result.seconds, 3),
        "job_hours_per_second": round(result.job_hours_a_second, 1),
        "opens": result.opens,
        "inputs": result.inputs,
        "faults": {kind.word: result.faults[kind] for kind in result.faults},
        "broken": None if found is None else found.why,
        "job": None if found is None else found.number,
        "shrunk": None if found is None else as_rows(found.shrunk),
    }


def of_fleet(result: FleetResult) -> Mapping[str, Json]:
    """Return how a fleet reconnected; the same settings give the same result on any machine."""
    outage = result.outage
    formula = peak_rate(outage)
    return {
        "strategy": outage.strategy,
        "clients": outage.clients,
        "outage_seconds": outage.seconds,
        "capacity_per_second": outage.capacity,
        "seed": outage.seed,
        "first_peak_per_second": round(result.first_peak, 1),
        "formula_per_second": None if formula == float("inf") else round(formula, 1),
        "peak_per_second": result.peak(1.0, outage.seconds),
        "back_after_seconds": round(result.back_after, 3),
        "attempts": result.attempts,
        "wasted": result.wasted,
    }


def as_rows(faults: Faults) -> Sequence[Json]:
    """Return faults as JSON, in the form that `--faults` accepts."""
    return [[each.word, each.at, each.value] for each in faults]

"""A goal, and whether a measurement meets it."""

from attrs import frozen


@frozen
class Verdict:
    """What was measured, beside what was to be reached."""

    what: str
    measured: str
    goal: str
    met: bool

    def __str__(self) -> str:
        return f"{self.measured} ({self.goal}) {'met' if self.met else '**missed**'}"


def at_least(what: str, figure: float, goal: float, unit: str) -> Verdict:
    """Judge a figure that is better when it is greater."""
    return Verdict(what, f"{figure:.2f} {unit}", f"≥ {goal:.3g}", figure >= goal)


def at_most(what: str, figure: float, goal: float, unit: str) -> Verdict:
    """Judge a figure that is better when it is smaller."""
    return Verdict(what, f"{figure:.2f} {unit}", f"≤ {goal:.3g}", figure <= goal)

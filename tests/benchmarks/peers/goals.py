"""A goal, and whether a measurement meets it."""

from attrs import frozen


@frozen
class Verdict:
    """A measured figure, its goal, and whether the goal is met."""

    what: str
    measured: str
    goal: str
    met: bool

    def __str__(self) -> str:
        return f"{self.measured} ({self.goal}) {'met' if self.met else '**missed**'}"


def at_least(what: str, figure: float, goal: float, unit: str) -> Verdict:
    """Return the verdict on a figure for which higher is better."""
    return Verdict(what, f"{figure:.2f} {unit}", f"≥ {goal:.3g}", figure >= goal)


def at_most(what: str, figure: float, goal: float, unit: str) -> Verdict:
    """Return the verdict on a figure for which lower is better."""
    return Verdict(what, f"{figure:.2f} {unit}", f"≤ {goal:.3g}", figure <= goal)

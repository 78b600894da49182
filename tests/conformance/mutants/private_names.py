"""Which mutants reach into private names of the core, read from their source.

A mutant reaches into them where it, or a function of `conformance/mutants` that it uses, imports a
private module of `arkor_proto`, reads a private attribute of anything but `self`, or asks `replace`
for one. The table of states is the exception: a cell of it is part of the seam, and one module
hands it on.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import define, field

import conformance.mutants

PACKAGE: Final = Path(conformance.mutants.__file__).parent
PREFIX: Final = "conformance.mutants."
TABLE: Final = ("patching", "arkor_proto._table")


def sources(package: Path = PACKAGE) -> Mapping[str, str]:
    """Return the text of each module of the mutants, by its name without the package's."""
    return {
        ".".join(path.relative_to(package).with_suffix("").parts): path.read_text(encoding="utf-8")
        for path in sorted(package.rglob("*.py"))
    }


def reaching(texts: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    """Return the private names that each mutant reaches into, for those that reach into any."""
    modules = {name: _Module(name, ast.parse(text)) for name, text in texts.items()}
    found = {
        f"{name.removeprefix('families.')}.{function.replace('_', '-')}": sorted(
            {*_reached(modules, name, function, set())}
        )
        for name, module in modules.items()
        if name.startswith("families.")
        for function in module.mutants
    }
    return {mutant: names for mutant, names in found.items() if names}


def _is_private(name: str) -> bool:
    return name.startswith("_") and not name.endswith("__")


@define
class _Module:
    """What a module defines, and where the names that it imports come from."""

    name: str
    tree: ast.Module
    defined: dict[str, ast.AST] = field(factory=dict[str, ast.AST])
    imported: dict[str, tuple[str, str]] = field(factory=dict[str, tuple[str, str]])
    mutants: list[str] = field(factory=list[str])

    def __attrs_post_init__(self) -> None:
        for node in self.tree.body:
            match node:
                case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                    self.defined[name] = node
                    if any("breaks(" in ast.unparse(each) for each in node.decorator_list):
                        self.mutants.append(name)
                case (
                    ast.Assign(targets=[ast.Name(id=name)])
                    | ast.AnnAssign(target=ast.Name(id=name))
                ):
                    self.defined[name] = node
                case _:
                    pass
        for each in ast.walk(self.tree):
            if isinstance(each, ast.ImportFrom) and each.module:
                for alias in each.names:
                    self.imported[alias.asname or alias.name] = each.module, alias.name

    def private(self, name: str) -> str | None:
        """Return where an imported name comes from, if that is a private part of the core."""
        source, original = self.imported.get(name, ("", ""))
        whole = f"{source}.{original}"
        if not whole.startswith("arkor_proto") or (self.name, source) == TABLE:
            return None
        return whole if any(_is_private(part) for part in whole.split(".")) else None


def _reached(
    modules: Mapping[str, _Module], where: str, name: str, seen: set[tuple[str, str]]
) -> Iterator[str]:
    module = modules.get(where)
    if module is None or (where, name) in seen:
        return
    seen.add((where, name))
    if private := module.private(name):
        yield private
    source, original = module.imported.get(name, ("", ""))
    if source.startswith(PREFIX):
        yield from _reached(modules, source.removeprefix(PREFIX), original, seen)
    for node in ast.walk(module.defined.get(name, ast.Pass())):
        match node:
            case ast.Name(id=used):
                yield from _reached(modules, where, used, seen)
            case ast.Attribute(value=owner, attr=attribute) if _is_private(attribute):
                if not (isinstance(owner, ast.Name) and owner.id == "self"):
                    yield ast.unparse(node)
            case ast.Call(
                func=ast.Name(id="replace"), args=[owner, ast.Constant(value=str(attribute)), *_]
            ) if _is_private(attribute):
                yield f"{ast.unparse(owner)}.{attribute}"
            case _:
                pass

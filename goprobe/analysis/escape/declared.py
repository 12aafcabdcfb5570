"""What the source of the packages looked at declares, by the names that users call it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from goprobe.analysis.escape.codeplaces import FunctionLines
from goprobe.analysis.escape.promisedplaces import is_literal, is_of_package, without_part
from goprobe.analysis.escape.promises import declared_in
from goprobe.analysis.escape.sources import Sources
from goprobe.binary.pcln.format import without_type_arguments
from goprobe.toolchain.escapebuild import GoPackage

_NEAREST = 0.6


class Declared:
    """`functions` are those that have code, `canonical` names their files as the sources do."""

    def __init__(
        self,
        packages: Sequence[GoPackage],
        sources: Sources,
        functions: Mapping[str, FunctionLines],
        canonical: Callable[[str], str],
    ) -> None:
        self._packages, self._sources = packages, sources
        self._functions, self._canonical = functions, canonical

    def places(self, named: str) -> Iterator[tuple[str, int]]:
        """Where a function is declared."""
        for package, rest in self._packages_of(named):
            wanted = without_type_arguments(rest)
            for file, number, line in self._lines(package):
                if line.startswith("func") and wanted in declared_in((line,)):
                    yield file, number

    def unknown(self, named: str) -> str:
        """What is wrong with the name of a function that its package's source has not; "" where it
        has it, or is none of those that are looked at."""
        problems = []
        for package, rest in self._packages_of(named):
            declared = declared_in(line for _, _, line in self._lines(package))
            wanted = without_part(without_type_arguments(rest))
            if not declared or wanted in declared:
                return ""
            hint = self._literals_of(package, rest) or _near(wanted, declared, package.name)
            problems.append(f"the source of {package.path} has no such function{hint}")
        return problems[0] if problems else ""

    def is_of_these(self, named: str) -> bool:
        """Whether a function's name begins with one of the packages."""
        return any(True for _ in self._packages_of(named))

    def _packages_of(self, named: str) -> Iterator[tuple[GoPackage, str]]:
        """The packages that a function's name may begin with, and what follows there."""
        for package in self._packages:
            own = (package.path, package.path.rpartition("/")[2], package.name)
            rest = next((named[len(p) + 1 :] for p in own if named.startswith(f"{p}.")), "")
            if rest:
                yield package, rest

    def _lines(self, package: GoPackage) -> Iterator[tuple[str, int, str]]:
        for file in package.files:
            for number, line in enumerate(self._sources.lines(str(file)), 1):
                yield str(file), number, line

    def _literals_of(self, package: GoPackage, name: str) -> str:
        """That it is a variable of the package, and how the literals in its line are called."""
        if not re.fullmatch(r"\w+", name):
            return ""
        variable = re.compile(rf"(?:var\s+|\t)(?:\w+\s*,\s*)*{name}\b.*\bfunc\b")
        lines = {(f, number) for f, number, line in self._lines(package) if variable.match(line)}
        literals = [
            function.rpartition("/")[2]
            for function, about in self._functions.items()
            if is_literal(function)
            and is_of_package(function)
            and (self._canonical(about.file), about.first) in lines
        ]
        if not literals:
            return ""
        return f"; it is a variable, whose line holds {', '.join(sorted(literals))}"


def _near(name: str, declared: Sequence[str], package: str) -> str:
    """The function that may have been meant: of the same name, else of one like it."""
    short = name.rpartition(".")[2]
    same = [known for known in declared if known.rpartition(".")[2] == short]
    near = get_close_matches(name, same, 1, 0) or get_close_matches(name, declared, 1, _NEAREST)
    return f"; there is {package}.{near[0]}" if near else ""

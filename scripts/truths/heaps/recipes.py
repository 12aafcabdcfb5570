"""Values of the standard library that programs keep, each as its package makes it (recipes.txt).

`walk` (walk.go) tells of all that such a value leads to.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_FILE = Path(__file__).with_name("recipes.txt")


@cache
def _recipes() -> dict[str, tuple[tuple[str, ...], str]]:
    """The packages and the function's body of each."""
    found: dict[str, tuple[tuple[str, ...], str]] = {}
    for part in _FILE.read_text().split("\n== ")[1:]:
        head, _, body = part.partition("\n")
        name, _, packages = head.partition(": ")
        found[name] = tuple(packages.split()), body.strip()
    return found


def names() -> list[str]:
    return list(_recipes())


def source(name: str) -> str:
    """A file that makes the value and keeps it in a package-level variable."""
    packages, body = _recipes()[name]
    imports = "".join(f'\t"{package}"\n' for package in packages)
    lines = body.replace("\n", "\n\t")
    return (
        f"package main\n\nimport (\n{imports})\n\nvar kept_{name} any\n\n"
        f"//go:noinline\nfunc make_{name}() any {{\n\t{lines}\n}}\n"
    )

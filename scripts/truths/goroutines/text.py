"""The text of a program as it grows: declarations, imports, and what main and init do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from scripts.truths.choices import Choices


@dataclass(slots=True)
class Text:
    """`fresh` numbers make names that nothing else has."""

    choices: Choices
    go: tuple[int, int]
    cgo: bool = False
    imports: set[str] = field(default_factory=set)
    declared: list[str] = field(default_factory=list)
    in_main: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    """What only one goroutine of a program may do (the finalizer goroutine is one)."""
    last: int = 0
    arriving: int = 0
    noted: int = 0
    settings: dict[str, str] = field(default_factory=dict)

    def fresh(self) -> int:
        self.last += 1
        return self.last

    def need(self, *imports: str) -> None:
        self.imports.update(imports)

    def declare(self, text: str) -> None:
        self.declared.append(text)

    def go_source(self, package: str = "main") -> str:
        imports = "".join(f'\t"{name}"\n' for name in sorted(self.imports))
        head = f"package {package}\n\n" + (f"import (\n{imports})\n\n" if imports else "")
        return head + "\n\n".join(self.declared) + "\n"


def indented(lines: Iterable[str]) -> str:
    return "".join(f"\t{line}\n" for line in lines)

"""The text of a program as it grows: declarations, imports, and what main does."""

from __future__ import annotations

from dataclasses import dataclass, field

from scripts.truths.choices import Choices


@dataclass(slots=True)
class Text:
    """`arriving` goroutines will say that they stand; `used` are the pieces, with their `flags`."""

    choices: Choices
    go: tuple[int, int]
    cgo: bool = False
    imports: set[str] = field(default_factory=set)
    declared: list[str] = field(default_factory=list)
    in_main: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)
    flags: set[str] = field(default_factory=set)
    settings: dict[str, str] = field(default_factory=dict)
    last: int = 0
    arriving: int = 0

    def fresh(self) -> int:
        """A number that nothing else has."""
        self.last += 1
        return self.last

    def need(self, *imports: str) -> None:
        self.imports.update(imports)

    def declare(self, text: str) -> None:
        self.declared.append(text)

    def go_source(self) -> str:
        imports = "".join(f'\t"{name}"\n' for name in sorted(self.imports))
        head = "package main\n\n"
        if "cgo" in self.flags:
            head += '// #include "bridge.h"\nimport "C"\n\n'
        if imports:
            head += f"import (\n{imports})\n\n"
        return head + "\n\n".join(self.declared) + "\n"

"""What tests of hard builds and runs ask of escape."""

from __future__ import annotations

import os
import textwrap
from pathlib import Path

import goprobe
from goprobe.model.escape import EscapeReport, Site
from tests.escape.corpus import go_environment
from tests.support.go import toolchain

GO = str(toolchain())


def escape(folder: Path, *targets: str, **options: object) -> EscapeReport:
    """The report on packages in a folder, the program's own output thrown away."""
    with go_environment(), Path(os.devnull).open("w") as nothing:
        return goprobe.escape(
            *(targets or (".",)),
            cwd=folder,
            stdout=nothing.fileno(),
            stderr=nothing.fileno(),
            **{"timeout": 120.0, "go": GO, **options},  # type: ignore[arg-type]
        )


def module(folder: Path, files: dict[str, str], name: str = "example.com/m") -> Path:
    """A module with these files."""
    for path, text in {"go.mod": f"module {name}\n\ngo 1.21\n", **files}.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text))
    return folder


def program(body: str) -> dict[str, str]:
    """main.go with a function that allocates; `body` is that of main."""
    return with_imports(body)


def with_imports(body: str, *names: str) -> dict[str, str]:
    """The same with imports."""
    listed = "".join(f'    "{name}"\n' for name in names)
    text = (
        f"package main\n\nimport (\n{listed})\n\n//go:noinline\n"
        "func allocate(i int) *[4]int { return &[4]int{i} }\n\nvar sink *[4]int\n\n"
        f"func main() {{\n{body}\n}}\n"
    )
    return {"main.go": text}


def the_allocation(report: EscapeReport) -> Site:
    """The site of `&[4]int{...}`."""
    found = [s for s in report.sites if s.expression == "&[4]int{...}"]
    (site,) = [s for s in found if s.function == "main.allocate"]
    return site

"""Which -gcflags count for a package, held against what Go itself does with them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from goprobe.toolchain.compilerflags import flags_for
from tests.support.go import matrix, toolchain

CASES = [
    (),
    ("-gcflags=-l",),
    ("-gcflags=all=-l",),
    ("--gcflags=std=-l",),
    ("-gcflags=example.com/m/...=-l",),
    ("-gcflags=example.com/m=-l",),
    ("-gcflags=example.com/...b=-l",),
    ("-gcflags=./sub=-l",),
    ("-gcflags=./...=-l",),
    ("-gcflags=../...=-l",),
    ("-gcflags=all=-l", "-gcflags="),
    ("-gcflags=all=-l", "-gcflags=example.com/m/sub= "),
    ("-gcflags=", "-gcflags=all= -l "),
    ("-gcflags=all=-d=ssa/check/off=1 -l", "-race=false"),
]
SOURCES = {
    "go.mod": "module example.com/m\n\ngo 1.21\n",
    "main.go": 'package main\n\nimport "example.com/m/sub"\n\nfunc f() {}\n\n'
    "func main() { f(); sub.F() }\n",
    "sub/sub.go": "package sub\n\nfunc f() {}\n\nfunc F() { f() }\n",
}


@pytest.mark.parametrize("given", CASES, ids=" ".join)
def test_the_rule_is_gos(given: tuple[str, ...], tmp_path: Path) -> None:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    environment = {**os.environ, "GOTOOLCHAIN": "local", "GOFLAGS": "", "GOWORK": "off"}
    del environment["PWD"]
    said = subprocess.run(
        [toolchain(matrix()[-1]), "build", "-n", *given, "."],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    ).stderr
    for path, named, folder in (("main", True, "."), ("example.com/m/sub", False, "sub")):
        line = next(text for text in said.splitlines() if f" -p {path} " in text)
        path = path.replace("main", "example.com/m")
        flags = flags_for(given, path, tmp_path / folder, tmp_path, named=named, standard=False)
        assert flags.split() == [f for f in line.split() if f in flags.split() or f == "-l"]
        assert ("-l" in flags.split()) == (" -l " in line), line


def test_the_standard_library() -> None:
    def of(flag: str, path: str) -> str:
        folder = Path("/go/src", path)
        return flags_for((flag,), path, folder, Path("/"), named=False, standard=True)

    assert of("-gcflags=std=-l", "fmt") == of("-gcflags=cmd=-l", "cmd/vet") == "-l"
    assert of("-gcflags=cmd=-l", "fmt") == of("-gcflags=-l", "fmt") == ""

"""`goprobe escape` asked from where a user stands: other packages, files, folders, settings."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.cli import Ran, goprobe
from tests.support.go import toolchain

_FILES = {
    "go.mod": "module example.com/m\n\ngo 1.21\n",
    "main.go": """package main

import "example.com/m/lib"

//goprobe:noalloc
func main() { lib.G(4); lib.K(5) }
""",
    "lib/lib.go": """package lib

var sink *int

//goprobe:noalloc
func G(n int) { sink = &n } //goprobe:allow-alloc "it may"

func K(n int) { m := n; sink = &m }

//goprobe:noalloc
func H(n int) int { return n }
""",
    "quiet/quiet.go": "package quiet\n\n//goprobe:noaloc\nfunc Q() {}\n",
    "vendor/v/v.go": "package v\n\n//goprobe:noalloc\nfunc V() {}\n",
    "inner/go.mod": "module example.com/inner\n",
    "inner/inner.go": "package inner\n\n//goprobe:noalloc\nfunc V() {}\n",
}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for path, text in _FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return tmp_path


def _escape(place: Path, *options: str, env: dict[str, str] | None = None) -> Ran:
    return goprobe("escape", *options, "--go", str(toolchain()), cwd=place, env=env)


def test_promises_of_other_packages_are_mentioned(place: Path) -> None:
    flags = {"GOFLAGS": "-mod=mod"}
    ran = _escape(place, ".", "--static", "-o", "told.json", "-o", "markdown=told.md", env=flags)
    told = json.loads((place / "told.json").read_text())
    assert told["passed_over"] == {"promises": 3, "packages": ["./lib", "./quiet"]}, ran.err
    said = "3 promises of other packages of the module (./lib, ./quiet) were not looked at"
    assert said in " ".join(_escape(place, ".", "--static", env=flags).text.split())
    assert said.replace("_", "\\_") in (place / "told.md").read_text()
    ran = _escape(place, "./...", "--static", "--json", env=flags)
    assert json.loads(ran.out)["passed_over"] == {"promises": 0, "packages": []}
    ran = _escape(place / "lib", ".", "--static", "--json", env=flags)
    assert json.loads(ran.out)["passed_over"] == {"promises": 2, "packages": ["..", "../quiet"]}


@pytest.mark.parametrize(
    ("options", "said", "leads_on"),
    [
        ("./lib --test", "example.com/m/lib has no tests", "--static"),
        (". --test", "example.com/m has no tests", "without --test"),
        ("./... --test", "none of the 3 packages has tests", "--static"),
        ("lib/lib.go --test", "lib.go has no tests", "--static"),
        ("lib/lib.go", "lib.go is not a program", "--static"),
        ("--static ./lib/lib.go", "lib.go: a library is looked at as a package", "--static /"),
    ],
)
def test_what_leads_on(place: Path, options: str, said: str, leads_on: str) -> None:
    ran = _escape(place, *options.split(), env={"GOFLAGS": "-mod=mod"})
    assert ran.code == 2
    first, hint = ran.err.split("\n")[:2]
    assert said in first and leads_on in hint, ran.err


_RUNS = {
    "main.go": """package main

import (
	"os"

	_ "example.com/m/lib"
)

func main() { os.WriteFile("ran", nil, 0o644) }
""",
    "lib/lib_test.go": """package lib

import (
	"os"
	"testing"
)

func TestIt(t *testing.T) { os.WriteFile("../ran", nil, 0o644) }
""",
    "quiet/quiet_test.go": "package quiet\n\nfunc init() { Q() }\n",
}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--promise", "bogus"], "--promise 'bogus': takes a function and one of heap, stack"),
        (["--promise", "main.main"], "--promise 'main.main': takes a function and one of heap"),
        (["--promise", "main noalloc"], "a function is named with its package"),
        (["--promise", "main.mane noalloc"], "has no such function; there is main.main"),
        (["--promise", "main.mane noalloc deep"], "has no such function; there is main.main"),
        (["--promise", "nowhere.F noalloc"], "nothing here is of a package that is called so"),
        (["--promise", "lib.H noalloc", "--promise", "lib.I noalloc"], "no such function"),
        (["--only", "dead,bogus"], "--only knows no verdict 'bogus'"),
        (["--file", "nomatch.go"], "--file nomatch.go: no file of the packages has that name"),
        (["--file", "main.go", "--file", "lib/*.c"], "--file lib/*.c: no file of the packages"),
    ],
)
def test_what_is_not_there_is_told_before_anything_runs(
    place: Path, options: list[str], said: str
) -> None:
    for path, text in _RUNS.items():
        (place / path).write_text(text)
    env = {"GOFLAGS": "-mod=mod"}
    ran = _escape(place, ".", "./lib", *options, env=env)
    assert (ran.code, said in ran.err) == (2, True), ran.err
    if "main.mane" not in " ".join(options) and "main.go" not in options:
        ran = _escape(place, "./lib", "./quiet", "--test", *options, env=env)
        assert (ran.code, said in ran.err) == (2, True), ran.err
    assert not (place / "ran").exists()
    assert _escape(place, ".", "./lib", "--file", "lib/*.go", "--only", "dead", env=env).code == 1
    assert (place / "ran").exists()


def test_promises_in_files_of_other_builds_are_none(place: Path) -> None:
    (place / "tagged").mkdir()
    for name, tag in (("a", "!special"), ("b", "special"), ("c_plan9", "special")):
        text = f"//go:build {tag}\n\npackage tagged\n\n//goprobe:noalloc\nfunc V() {{}}\n"
        (place / f"tagged/{name}.go").write_text(text)
    (place / "foreign").mkdir()
    (place / "foreign/f_plan9.go").write_text("package foreign\n\n//goprobe:noalloc\nfunc V() {}\n")
    for options in ((), ("--tags", "special")):
        told = _escape(place, ".", "--static", "--json", *options, env={"GOFLAGS": "-mod=mod"}).out
        passed_over = json.loads(told)["passed_over"]
        assert passed_over == {"promises": 4, "packages": ["./lib", "./quiet", "./tagged"]}


def test_where_nobody_looks_nothing_is_told_of_places(place: Path) -> None:
    text = "package main\n\nvar sink any\n\nfunc main() { for i := range sinks { sink = i } }\n"
    (place / "main.go").write_text(f"{text}\nvar sinks [200]int\n")
    for hits, wanted in (("32", "static"), ("0", "unobserved")):
        ran = _escape(place, ".", "--json", "--hits", hits, env={"GOFLAGS": "-mod=mod"})
        (site,) = [s for s in json.loads(ran.out)["sites"] if s["expression"] == "i"]
        assert (site["verdict"], site["hits"]) == (wanted, 200), site


def test_reasons_name_files_as_one_stands(place: Path) -> None:
    env = {"GOFLAGS": "-mod=mod"}
    for stands, package, name in (
        (place, "./lib", "lib/lib.go"),
        (place / "lib", ".", "lib.go"),
        (place / "quiet", "../lib", f"{place}/lib/lib.go"),
    ):
        ran = _escape(stands, package, "--static", "--json", env=env)
        sites = json.loads(ran.out)["sites"]
        steps = [step for site in sites for step in site["flow"] if step.startswith("from ")]
        assert steps and {site["file"] for site in sites} == {name}
        assert all(f" at {name}:" in step for step in steps), steps
    ran = _escape(place, ".", "./lib", "--static", "--json", env=env)
    calls = [call for site in json.loads(ran.out)["sites"] for call in site["calls"]]
    inlined = [text for call in calls for text in call["inlined_at"]]
    assert inlined and not any(text.startswith("/") for text in inlined)


def test_a_file_is_written_as_its_name_ends(place: Path) -> None:
    env = {"GOFLAGS": "-mod=mod"}
    assert _escape(place, ".", "--static", "-o", "a.json", "-o", "b.sarif", env=env).code == 1
    assert json.loads((place / "a.json").read_text())["schema"] == "goprobe.escape/1"
    assert "runs" in json.loads((place / "b.sarif").read_text())
    _escape(place, ".", "--static", "-o", "a.json", "--format", "text", env=env)
    assert " of the compiler, held against" in (place / "a.json").read_text()
    ran = goprobe("ps", "-o", str(place / "x.sarif"))
    assert (ran.code, "there is no format 'sarif'" in ran.err) == (2, True)


def test_settings_say_what_is_shown_and_where_it_goes(place: Path) -> None:
    env = {"GOFLAGS": "-mod=mod"}
    (place / "goprobe.toml").write_text(
        f"""[escape]
packages = ["./lib"]
static = true
go = "{toolchain()}"
output = ["sarif=out/told.sarif", "out/told.json"]
format = "markdown"
file = "lib.go"
only = ["dead", "unobserved"]
"""
    )
    (place / "out").mkdir()
    ran = goprobe("escape", cwd=place / "quiet", env=env)
    assert ran.code in (0, 1), ran.err
    assert (place / "out/told.json").read_text().startswith("### goprobe escape")
    assert "runs" in json.loads((place / "out/told.sarif").read_text())
    ran = goprobe("escape", "--json", "-o", "here.json", cwd=place, env=env)
    told = json.loads((place / "here.json").read_text())
    assert told["shown"] == "only sites of dead, unobserved in lib.go"
    (place / "goprobe.toml").write_text("[escape]\noutput = 3\n")
    ran = goprobe("escape", ".", cwd=place, env=env)
    assert (ran.code, "output is to be a list of texts" in ran.err) == (2, True)

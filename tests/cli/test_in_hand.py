"""What people have in hand: decimal addresses, absolute paths of sources, a /proc of elsewhere."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cli import environment, goprobe
from tests.support.go import Running, build, matrix, running, toolchain

PROGRAM = """package main

import (
	"fmt"
	"time"
	"unsafe"
)

var global = 7

func main() {
	object := new([4]int)
	fmt.Printf("object %d\\n", uintptr(unsafe.Pointer(object)))
	fmt.Printf("global %d\\n", uintptr(unsafe.Pointer(&global)))
	fmt.Printf("hex %x\\nready\\n", uintptr(unsafe.Pointer(object)))
	time.Sleep(time.Hour)
	fmt.Println(object, global)
}
"""


@pytest.fixture(scope="module")
def program() -> Iterator[Running]:
    with running(build(PROGRAM)) as found:
        yield found


def test_decimal_addresses(program: Running) -> None:
    texts = [program["object"], program["global"], f"0x{program['hex']}"]
    ran = goprobe("where", str(program.pid), *texts, "--json")
    assert ran.code == 0, ran.err
    assert [found["kind"] for found in ran.json["locations"]] == ["heap", "data", "heap"]
    assert ran.json["locations"][0]["address"] == ran.json["locations"][2]["address"]
    assert f"{program['object']} is read as decimal: 0x{program['hex']}" in ran.err
    told = goprobe("heap", str(program.pid), "--object", program["object"], "--json")
    assert told.code == 0, told.err
    assert f"0x{program['hex']}" in told.text


def test_hexadecimal_without_0x(program: Running) -> None:
    ran = goprobe("where", str(program.pid), program["hex"], "400000", "0500000", "--json")
    assert ran.code == 0, ran.err
    found = [location["address"] for location in ran.json["locations"]]
    assert found == [f"0x{program['hex']}", "0x400000", "0x500000"]
    assert "400000 is read as hexadecimal" in ran.err


@pytest.mark.parametrize("text", ["12x", "", "-1", "1_000", "0x", str(1 << 70)])
def test_no_addresses(program: Running, text: str) -> None:
    ran = goprobe("where", str(program.pid), "--", text)
    assert (ran.code, ran.out) == (2, b"")


@pytest.mark.parametrize("go", matrix())
def test_absolute_paths_of_a_program_built_with_trimpath(go: str, tmp_path: Path) -> None:
    folder = tmp_path / "work" / "shop"
    (folder / "cmd").mkdir(parents=True)
    (folder / "go.mod").write_text("module example.com/shop\n\ngo 1.21\n")
    text = "package main\n\nfunc main() {\n\tprintln(1)\n\tprintln(2)\n}\n"
    (folder / "cmd" / "main.go").write_text(text)
    binary = tmp_path / "shop"
    flags = ("-trimpath", "-gcflags=all=-N -l", "-o", str(binary))
    command = [str(toolchain(go)), "build", *flags, "./cmd"]
    subprocess.run(command, cwd=folder, check=True, env=environment(GOFLAGS="", GOWORK="off"))
    for file in (folder / "cmd" / "main.go", Path("/elsewhere/shop/cmd/main.go")):
        ran = goprobe("trace", binary, "--break", f"{file}:5", "--json")
        assert ran.code == 0, ran.err
        assert [stop["line"] for stop in ran.json["stops"]] == [5]
    wrong = goprobe("trace", binary, "--break", f"{folder}/cmd/nosuch.go:5")
    assert (wrong.code, wrong.out) == (2, b"")


@pytest.mark.skipif(shutil.which("unshare") is None, reason="takes unshare")
@pytest.mark.parametrize("command", ["trace", "where", "doctor"])
def test_a_proc_of_another_pid_namespace(command: str) -> None:
    arguments = {"trace": [str(build(PROGRAM))], "where": ["1", "0x400000"], "doctor": []}[command]
    done = subprocess.run(
        ["unshare", "--pid", "--fork", sys.executable, "-m", "goprobe", command, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
    )
    if "unshare:" in done.stderr:
        pytest.skip("no namespace of our own here")
    said = " ".join((done.stdout + done.stderr).split())
    assert done.returncode == 3, said
    assert "/proc is not that of this PID namespace" in said and "mount -t proc" in said

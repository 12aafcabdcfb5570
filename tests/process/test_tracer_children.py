"""Programs under the tracer that start others, replace themselves, or lie elsewhere."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from goprobe.process.memory.memory import Memory
from goprobe.process.tracer.run import (
    CountedCall,
    ProbeSite,
)
from tests.process.traced import ALLOCATORS, ENDS, MANY, check_hits, done, releases, sites_of, trace
from tests.support.calls import calls
from tests.support.go import build, has_gcc

CHILDREN = """package main

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
)

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) { sink = &T{a: i} }

func main() {
	for i := 0; i < 100; i++ {
		alloc(i)
	}
	if len(os.Args) > 1 && os.Args[1] == "child" {
		fmt.Print("child ")
		return
	}
	if len(os.Args) > 1 && os.Args[1] == "orphan" {
		exec.Command("/bin/sh", "-c", "sleep 0.3; echo late >>" + os.Args[2]).Start()
		return
	}
	said := ""
	for i := 0; i < 20; i++ {
		alloc(i)
		out, err := exec.Command("/proc/self/exe", "child").Output()
		if err != nil {
			panic(err)
		}
		said += string(out)
	}
	fmt.Println(strings.Count(said, "child"))
}
"""


@releases
def test_children_run_unharmed_and_uncounted(go: str) -> None:
    binary = build(CHILDREN, go=go)
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(binary, sites=sites, inspect=1000)
    done(run)
    assert run.said() == 20
    assert run.outcome.counts == {0: 120}


def test_children_outlive_the_program(tmp_path: Path) -> None:
    binary = build(CHILDREN)
    late = tmp_path / "late"
    run = trace(binary, "orphan", str(late), sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS))
    done(run)
    deadline = time.monotonic() + 10
    while not late.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert late.read_text() == "late\n"


FORKS = """package main

/*
#include <stdio.h>
#include <stdlib.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
extern char **environ;
extern int called(int);
__attribute__((noinline)) static int twice(int n) { return called(n) * 2; }
__attribute__((noipa)) static int helper(int n) { return n + 1; }
__attribute__((noipa)) static int forked(void) {
	int status;
	pid_t child = fork();
	int five = helper(4);
	if (child == 0) _exit(five);
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}
static int vforked(void) {
	int status;
	pid_t child = vfork();
	if (child == 0) { execl("/bin/sh", "sh", "-c", "exit 6", (char*)0); _exit(9); }
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}
static int spawned(void) {
	int status;
	pid_t child;
	char *argv[] = {"sh", "-c", "exit 7", 0};
	if (posix_spawn(&child, "/bin/sh", 0, 0, argv, environ)) return -1;
	waitpid(child, &status, 0);
	return WEXITSTATUS(status);
}
*/
import "C"
import "fmt"

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) int { sink = &T{a: i}; return sink.a + 1 }

//export called
func called(n C.int) C.int { return C.int(alloc(int(n))) }

func main() {
	sum := 0
	for i := 0; i < 50; i++ {
		sum += int(C.twice(C.int(i)))
		sum += int(C.forked() + C.vforked() + C.spawned())
	}
	fmt.Println(sum)
}
"""


@releases
@pytest.mark.skipif(not has_gcc(), reason="cgo needs gcc")
@pytest.mark.parametrize("mode", ["exe", "pie"])
def test_cgo_with_fork_vfork_and_posix_spawn(go: str, mode: str) -> None:
    binary = build(FORKS, go=go, flags=(f"-buildmode={mode}",), env={"CGO_ENABLED": "1"})
    (site,) = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    # Also in the C code that a forked child goes on with: it must not trap there, nor count.
    (helper,) = calls(binary, r"^forked", r"^helper")
    run = trace(
        binary,
        sites=[site, CountedCall(helper.pc, helper.callee, 1, inspect=False)],
        probes=[ProbeSite(helper.callee, 0)],
        randomize=True,
    )
    done(run)
    assert run.said() == 50 * 18 + 2 * sum(range(1, 51))
    assert run.outcome.counts == {0: 50, 1: 50}
    assert sum(hit.returned for hit in run.outcome.hits) == 32
    assert len(run.outcome.probes) == 32
    assert (run.outcome.bias != 0) == (mode == "pie")


@releases
@pytest.mark.parametrize("randomize", [False, True])
def test_position_independent_programs(go: str, randomize: bool) -> None:
    binary = build(MANY, go=go, flags=("-buildmode=pie",))
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    run = trace(binary, "2", "20000", sites=sites, randomize=randomize)
    done(run)
    assert run.outcome.counts == {0: 40_000}
    assert run.outcome.bias > 0
    check_hits(run.outcome.hits)


EXECS = """package main

import (
	"os"
	"syscall"
)

type T struct{ a, b, c, d int }

var sink *T

//go:noinline
func alloc(i int) { sink = &T{a: i} }

func main() {
	done := make(chan bool)
	for i := 0; i < 1000; i++ {
		alloc(i)
	}
	go func() {
		syscall.Exec("/bin/sh", []string{"sh", "-c", "echo replaced; exit 3"}, os.Environ())
	}()
	<-done
}
"""


@releases
def test_exec_keeps_the_counts_and_is_partial(go: str) -> None:
    binary = build(EXECS, go=go)
    ends: list[Memory] = []
    sites = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    for _ in range(5):
        run = trace(binary, sites=sites, on_end=ends.append)
        outcome = run.outcome
        assert outcome.counts == {0: 1000}
        assert (outcome.exit_code, run.out, ends) == (3, "replaced\n", [])
        assert outcome.partial and "exec" in outcome.why and "sh" in outcome.why


def test_the_callers_own_children_are_left_alone() -> None:
    other = subprocess.Popen(["sh", "-c", "exit 4"])
    binary = build(ENDS)
    done(trace(binary, "return", sites=sites_of(binary, r"^main\.alloc$", ALLOCATORS)))
    assert other.wait() == 4


def test_the_program_does_not_outlive_a_killed_tracer() -> None:
    binary = build(ENDS)
    code = (
        "import sys\n"
        "from goprobe.process.tracer.run import CountedCall, run_counted\n"
        "pc, callee = map(int, sys.argv[2:4])\n"
        "run_counted(sys.argv[1], ['spin'], sites=[CountedCall(pc, callee, 0)])\n"
    )
    (site,) = sites_of(binary, r"^main\.alloc$", ALLOCATORS)
    command = [sys.executable, "-c", code, str(binary), str(site.pc), str(site.callee)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as tracer:
        assert tracer.stdout and tracer.stdout.readline() == "spinning\n"
        tracer.kill()
        # The pipe's end: whoever held it, the program included, is gone.
        assert tracer.stdout.read() == ""

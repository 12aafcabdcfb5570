"""The pytest plugin, as a user's test suite meets it: pytest runs pytest."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import psutil
import pytest

from tests.support.go import toolchain

pytest_plugins = ["pytester"]

TESTDATA = Path(__file__).parent.parent.parent / "testdata"
PLUGIN = "goprobe.pytestplugin"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")  # pytester moves HOME

STOPS = """
import pytest

def test_of_places(goprobe):
    program = goprobe.launch(HELLO)
    stop = next(s for s in program.run(["fmt.Println"]))
    goprobe.assert_location(stop["msg"], "goroutine_stack")
    goprobe.assert_location(stop["msg"].data, "rodata")

def test_of_a_wrong_place(goprobe):
    stop = next(goprobe.launch(HELLO).run(["fmt.Println"]))
    goprobe.assert_location(stop["msg"].data, "heap")

def test_of_a_misspelt_place(goprobe):
    stop = next(goprobe.launch(HELLO).run(["fmt.Println"]))
    goprobe.assert_location(stop["msg"], "stack")
"""

PROCESSES = """
def test_of_a_process(goprobe):
    heart = goprobe.start(HEARTBEAT, ["100", "5", "1"], ready="ready", stdin=None)
    print("PID", heart.pid)
    assert sum(group.count for group in heart.goroutines().groups) >= 5
    assert goprobe.attach(heart.pid).heap().census.objects > 100
    goprobe.assert_no_leaks(heart)

def test_of_one_that_leaks(goprobe):
    shop = goprobe.start(SHOP, ["serve"], ready="open", stdin=None)
    print("PID", shop.pid)
    goprobe.assert_no_leaks(shop)

def test_of_one_that_fails(goprobe):
    heart = goprobe.start(HEARTBEAT, ["1", "1", "1"], ready="ready", stdin=None)
    print("PID", heart.pid)
    assert "never" in heart.written

def test_of_one_that_ends_early(goprobe):
    goprobe.start(HELLO, ready="listening")
"""

ALLOCATIONS = """
import pathlib
import pytest

@pytest.fixture(autouse=True)
def package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files = {
        "go.mod": "module example.com/m\\n\\ngo 1.21\\n",
        "m.go": "package m\\n\\nvar sink []byte\\n\\n//go:noinline\\nfunc Make(n int) { sink = "
                "make([]byte, n) }\\n\\n//go:noinline\\nfunc Add(a, b int) int { return a + b }\\n",
        "m_test.go": "package m\\n\\nimport \\"testing\\"\\n\\nfunc TestBoth(t *testing.T) {"
                     " Make(Add(1, 2)) }\\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)

def test_of_nothing(goprobe):
    goprobe.assert_no_allocation("m.Add", ".")

def test_of_something(goprobe):
    goprobe.assert_no_allocation("m.Make", ".")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("GOPROBE_GO", str(toolchain()))
    monkeypatch.setenv("XDG_CACHE_HOME", str(CACHE))
    return pytester


def _with_programs(source: str) -> str:
    places = {"HELLO": "hello.go", "HEARTBEAT": "targets/heartbeat.go", "SHOP": "sessions/shop.go"}
    named = "".join(f"{name} = {str(TESTDATA / place)!r}\n" for name, place in places.items())
    return f"{named}{source}"


def test_pytest_finds_the_plugin_by_itself() -> None:
    (entry,) = entry_points(group="pytest11", name="goprobe")
    assert entry.value == PLUGIN
    assert entry.load().__name__ == PLUGIN


def test_places(suite: pytest.Pytester) -> None:
    suite.makepyfile(_with_programs(STOPS))
    result = suite.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=1, failed=2)
    for line in (  # which of two workers is done first is a matter of chance
        "*AssertionError: it is rodata, not heap: .rodata of hello at 0x*",
        "*UsageError: 'stack' is no kind of memory; they are bss, *",
    ):
        result.stdout.fnmatch_lines([line])


def test_processes_end_with_their_test(suite: pytest.Pytester) -> None:
    suite.makepyfile(_with_programs(PROCESSES))
    result = suite.runpytest_subprocess("-rA")
    result.assert_outcomes(passed=1, failed=3)
    started = [int(line.split()[1]) for line in result.outlines if line.startswith("PID ")]
    assert len(started) == 3
    assert not [pid for pid in started if psutil.pid_exists(pid)]
    result.stdout.fnmatch_lines(["--- heartbeat-1 wrote:", "ready"], consecutive=True)
    result.stdout.fnmatch_lines(["*AssertionError: 2 goroutines are leaked:*"])
    result.stdout.fnmatch_lines(["*hello ended with status 0 before it wrote 'listening'; *Hello*"])


def test_allocations(suite: pytest.Pytester) -> None:
    suite.makepyfile(ALLOCATIONS)
    result = suite.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*AssertionError: m.Make allocates:"])


def test_a_suite_that_does_not_ask_loads_nothing(suite: pytest.Pytester) -> None:
    suite.makepyfile("import sys\ndef test(): assert 'goprobe.api.process' not in sys.modules\n")
    suite.runpytest_subprocess().assert_outcomes(passed=1)

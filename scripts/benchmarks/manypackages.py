"""What a gate over very many packages costs: the tests of two hundred packages of the standard
library, by `go test` and by one `goprobe escape`. Some minutes: only when it is named.

Memory is what all processes of the command have of their own, and their part of what they share
(Pss of /proc/PID/smaps_rollup), where it was most; it is looked at four times a second.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from scripts.benchmarks.timing import Figure
from tests.support.go import matrix, toolchain

COUNT = 200
_RUN = "^Test[A-D]"
"""Some tests of each package: what is measured is not how long Go's own take."""
_OTHERS = ("runtime", "internal/runtime", "internal/trace", "plugin", "go/internal", "go/types",
           "internal/testenv", "internal/fuzz", "internal/cgrouptest", "internal/copyright",
           "internal/syscall", "internal/coverage/test", "crypto/internal/cryptotest",
           "crypto/internal/fips140only", "crypto/internal/fips140deps", "crypto/internal/boring",
           "os/exec/internal", "os/signal", "net/internal", "embed/internal", "math/big/internal",
           "log/slog/internal/benchmarks", "testing/slogtest", "testing/cryptotest", "vendor",
           "cmd")  # fmt: skip
"""Those that test the toolchain or the machine, and take their time for it."""
_ROOT = Path(__file__).parents[2]
_MIB = 1 << 10  # of the KiB in which Linux has it


@dataclass(frozen=True, slots=True)
class _Took:
    seconds: float
    processor: float
    most_mib: float


def measure(runs: int) -> Iterator[Figure]:
    go = str(toolchain(matrix()[-1]))
    with tempfile.TemporaryDirectory(prefix="goprobe-bench-") as folder:
        environment = {
            **os.environ,
            "PYTHONPATH": str(_ROOT),
            "XDG_CACHE_HOME": folder,
            "GOCACHE": os.environ.get("GOCACHE", str(Path.home() / ".cache" / "go-build")),
            "GOTOOLCHAIN": "local",
        }
        packages = _packages(go, environment)
        plain = (go, "test", "-count=1", "-vet=off", "-short", "-run", _RUN, *packages)
        goprobe = (sys.executable, "-m", "goprobe", "escape", "--go", go, "--run", _RUN)
        report = ("--json", "-o", str(Path(folder) / "report.json"))
        escape = (*goprobe, *report, *packages, "--", "-test.short")
        _run(plain, environment)
        yield from _of("first", _run(plain, environment), _run(escape, environment))
        yield from _of("again", _run(plain, environment), _run(escape, environment), 1.5)


def _of(when: str, go_test: _Took, escape: _Took, most: float | None = None) -> Iterator[Figure]:
    yield Figure(f"{COUNT} packages, {when}: go test", go_test.seconds, "s")
    ratio = escape.seconds / go_test.seconds
    yield Figure(f"{COUNT} packages, {when}: goprobe escape --run", ratio, "times", most)
    spent = escape.processor / go_test.processor
    yield Figure("  of processor time", spent, "times")
    yield Figure("  memory of all its processes", escape.most_mib, "MiB", 600)


def _packages(go: str, environment: Mapping[str, str]) -> list[str]:
    with_tests = "{{if or .TestGoFiles .XTestGoFiles}}{{.ImportPath}}{{end}}"
    command = (go, "list", "-f", with_tests, "std")
    listed = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    others = tuple(f"{each}/" for each in _OTHERS)
    wanted = [p for p in listed.stdout.split() if not f"{p}/".startswith(others)]
    assert len(wanted) >= COUNT, len(wanted)
    return wanted[:COUNT]


def _run(command: Sequence[str], environment: Mapping[str, str]) -> _Took:
    begun, most, ended = time.perf_counter(), [0], threading.Event()
    process = subprocess.Popen(
        command, cwd="/", env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )

    def watch() -> None:
        while not ended.wait(0.25):
            most[0] = max(most[0], sum(map(_share, _tree(process.pid))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    assert process.stderr is not None
    complaints = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    ended.set()
    watcher.join()
    assert process.returncode == 0, complaints[-2000:]
    return _Took(seconds, usage.ru_utime + usage.ru_stime, most[0] / _MIB)


def _tree(top: int) -> list[int]:
    """A process and all that it started, as far as their parents still run."""
    parents: dict[int, int] = {}
    for each in Path("/proc").iterdir():
        if each.name.isdigit():
            with suppress(OSError, IndexError):
                stat = (each / "stat").read_text().rpartition(")")[2].split()
                parents[int(each.name)] = int(stat[1])
    tree = [top]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


def _share(pid: int) -> int:
    """KiB."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1])
    return 0

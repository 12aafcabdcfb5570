"""`scripts/witness`: the allocations of packages' own tests, as goprobe counts them and as Go's
profile of every allocation does; 1 where they differ by more than the collector makes."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from goprobe.errors import GoprobeError
from scripts.lib.vendored import MODULES, vendored_module
from tests.escape.profile import BESIDES, Compared, compared
from tests.support.go import matrix

PACKAGES = (
    "archive/tar", "archive/zip", "bufio", "bytes", "compress/flate", "compress/gzip",
    "compress/lzw", "compress/zlib", "container/heap", "container/list", "container/ring",
    "context", "encoding/ascii85", "encoding/base32", "encoding/base64", "encoding/binary",
    "encoding/csv", "encoding/gob", "encoding/hex", "encoding/json", "encoding/pem",
    "encoding/xml", "errors", "expvar", "flag", "fmt", "go/ast", "go/format", "go/parser",
    "go/scanner", "go/token", "hash/crc32", "hash/fnv", "html", "html/template", "image",
    "image/png", "index/suffixarray", "log", "math/big", "mime", "net/textproto", "net/url",
    "path", "path/filepath", "regexp", "regexp/syntax", "sort", "strconv", "strings",
    "text/scanner", "text/tabwriter", "text/template", "unicode/utf8",
)  # fmt: skip
"""Of Go's standard library: a machine without a network has no other real code, but for what Go
itself has from others."""
_VENDORED = "vendored"


def main() -> int:
    parser = argparse.ArgumentParser(prog="witness", description=__doc__)
    parser.add_argument("package", nargs="*", default=PACKAGES)
    parser.add_argument("--go", default=matrix()[-1], help="the release (default: the newest)")
    parser.add_argument("--folder", default="/", help="where packages are named (default: /)")
    parser.add_argument("--vendored", action="store_true", help="those that Go has from others")
    options = parser.parse_args()
    packages = (_VENDORED,) if options.vendored else options.package
    lines = wrong = failed = 0
    for package in packages:
        started = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="goprobe-witness-") as folder:
            try:
                found = _compared(package, options, Path(folder))
            except GoprobeError as error:
                print(f"{package:24} {error.message}", flush=True)
                failed += 1
                continue
        taken = time.monotonic() - started
        lines += found.lines
        differing = found.differing | {place: (0, n) for place, n in found.untold.items()}
        far = sum(abs(ours - theirs) for ours, theirs in differing.values())
        wrong += far > BESIDES
        partial = found.report.partial
        state = f" not run to its end: {partial}" if partial else ""
        print(
            f"{package:24} {found.lines:6} lines, {len(differing):3} differ {taken:7.1f} s{state}",
            flush=True,
        )
        for (file, line), (ours, theirs) in sorted(differing.items()):
            print(f"    {file}:{line}: goprobe {ours}, the profile {theirs}", flush=True)
    print(
        f"{len(packages)} packages, {lines} lines; {wrong} packages differ by more than the"
        f" collector makes on its way ({BESIDES} objects), {failed} were not built"
    )
    return 1 if wrong or failed else 0


def _compared(package: str, options: argparse.Namespace, folder: Path) -> Compared:
    if package is not _VENDORED:
        return compared(package, options.go, folder, options.folder, ("-test.short",))
    vendored_module(options.go, folder)
    return compared(".", options.go, folder, str(folder), of=MODULES, deep=True)


if __name__ == "__main__":
    sys.exit(main())

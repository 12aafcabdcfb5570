"""Cerbos, which decides who may do what: many policies, compiled, and many questions."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched

_POLICIES = 500
_QUESTIONS = 500


class Cerbos(Program):
    binary = "package/cerbos-linux-x64"
    ports = ("http", "grpc")

    def prepare(self, site: Site) -> None:
        server = {"httpListenAddr": site.address("http"), "grpcListenAddr": site.address("grpc")}
        storage = {"driver": "disk", "disk": {"directory": "policies"}}
        config = {"server": server, "storage": storage, "telemetry": {"disabled": True}}
        site.write("cerbos.yaml", json.dumps(config))
        for i in range(_POLICIES):
            site.write(f"policies/p{i}.json", json.dumps(_policy(i)))

    def command(self, site: Site) -> list[str]:
        return ["server", "--config", "cerbos.yaml", "--log-level", "error"]

    def ready(self, site: Site) -> bool:
        return answers(site.url("http", "/_cerbos/health"))

    def work(self, site: Site) -> None:
        for i in range(_QUESTIONS):
            self._may(site, i % _POLICIES, "read")

    def works(self, site: Site) -> bool:
        return self._may(site, 7, "read") and not self._may(site, 7, "delete")

    def _may(self, site: Site, i: int, action: str) -> bool:
        resource = {"kind": f"thing{i}", "id": "1", "attr": {"size": 3, "owner": "me"}}
        asked = {
            "principal": {"id": "me", "roles": ["user"], "attr": {"level": 9}},
            "resources": [{"resource": resource, "actions": [action]}],
        }
        url = site.url("http", "/api/check/resources")
        told = json.loads(fetched(url, json.dumps(asked).encode(), kind="application/json"))
        return bool(told["results"][0]["actions"][action] == "EFFECT_ALLOW")


def _policy(i: int) -> object:
    conditions = [f"R.attr.size > {k} && P.attr.level != {-k - 1}" for k in range(3)]
    rules = [
        {
            "actions": ["read", "list"],
            "effect": "EFFECT_ALLOW",
            "roles": ["user"],
            "condition": {"match": {"all": {"of": [{"expr": c} for c in conditions]}}},
        },
        {
            "actions": ["delete"],
            "effect": "EFFECT_DENY",
            "roles": ["user"],
            "condition": {"match": {"expr": f"R.attr.owner != 'nobody{i}'"}},
        },
    ]
    resource = {"resource": f"thing{i}", "version": "default", "rules": rules}
    return {"apiVersion": "api.cerbos.dev/v1", "resourcePolicy": resource}


PROGRAMS = (Cerbos("cerbos", Package("npm", "@cerbos/cerbos-linux-x64", "0.51.0")),)

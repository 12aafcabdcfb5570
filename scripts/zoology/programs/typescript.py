"""TypeScript's native compiler, watching a project of 250 files."""

from __future__ import annotations

import json

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, within

_FILES = 250
_CHANGES = 4
_WITHIN = 60.0


class TypeScript(Program):
    binary = "package/lib/tsgo"

    def prepare(self, site: Site) -> None:
        options = {"strict": True, "noEmit": True, "target": "es2022", "lib": ["es2022", "dom"]}
        site.write("tsconfig.json", json.dumps({"compilerOptions": options, "include": ["src"]}))
        for i in range(_FILES):
            site.write(f"src/m{i}.ts", module(i))

    def command(self, site: Site) -> list[str]:
        return ["--watch", "--pretty", "false", "-p", "tsconfig.json"]

    def ready(self, site: Site) -> bool:
        return _checks(site) > 0

    def work(self, site: Site) -> None:
        for i in range(_CHANGES):
            self._change(site, f"export const changed: number = {i};\n")

    def works(self, site: Site) -> bool:
        return "error TS2322" in self._change(site, "export const changed: number = 'no';\n")

    def _change(self, site: Site, text: str) -> str:
        """What it says of a changed file."""
        before, said = _checks(site), len(site.said())
        site.write("src/changed.ts", text)
        within(_WITHIN, lambda: _checks(site) > before)
        return site.said()[said:]


def _checks(site: Site) -> int:
    return site.said().count("Watching for file changes")


def module(i: int) -> str:
    """A module that takes some thought: interfaces, generics, conditional and mapped types."""
    lines = [f"import {{ I{i - 1}_0, make{i - 1}_0 }} from './m{i - 1}';"] if i else []
    for k in range(20):
        lines += [
            f"export interface I{i}_{k} {{ id: number; name: string; tags: Map<string, number[]>;"
            f" next?: I{i}_{k}; kind: 'a{k}' | 'b{k}' }}",
            f"export type P{i}_{k} = {{ [K in keyof I{i}_{k}]?: I{i}_{k}[K] extends string ?"
            f" I{i}_{k}[K] | null : Readonly<I{i}_{k}[K]> }};",
            f"export function make{i}_{k}<T extends Partial<I{i}_{k}>>(from: T): I{i}_{k} & T {{",
            f"  const tags = new Map<string, number[]>([['t{k}', [{k}, {i}]]]);",
            f"  return {{ id: {k}, name: `n${{{i}}}`, tags, kind: 'a{k}', ...from }};",
            "}",
            f"export const all{i}_{k} = [1, 2, 3].map(id => make{i}_{k}({{ id }}))"
            f".filter(x => x.tags.size > 0).reduce((sum, x) => sum + x.id, 0);",
        ]
    if i:
        lines.append(f"export const link{i}: I{i - 1}_0 = make{i - 1}_0({{}});")
    return "\n".join(lines) + "\n"


_PACKAGE = "@typescript/native-preview-linux-x64"
PROGRAMS = (TypeScript("typescript", Package("npm", _PACKAGE, "7.0.0-dev.20260707.2")),)

"""Language servers, spoken to over their standard input: buf's, of Protocol Buffers, and rslint's,
a linter of TypeScript."""

from __future__ import annotations

import json
import re

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, within
from scripts.zoology.programs.typescript import module

_WITHIN = 60.0
_ANSWERED = '"result":'


class LanguageServer(Program):
    """One that gets `files` of a kind opened, and is asked about the first."""

    stdin = True
    files = 120
    language = ""
    suffix = ""
    query = "textDocument/hover"

    def source(self, i: int) -> str:
        raise NotImplementedError

    def prepare(self, site: Site) -> None:
        for i in range(self.files):
            site.write(f"src/m{i}.{self.suffix}", self.source(i))

    def ready(self, site: Site) -> bool:
        if "asked" not in site.notes:
            site.notes["asked"] = "0"
            root = site.folder.as_uri()
            self._tell(
                site,
                "initialize",
                {
                    "processId": None,
                    "rootUri": root,
                    "capabilities": {},
                    "workspaceFolders": [{"uri": root, "name": "zoo"}],
                },
                asks=True,
            )
        return _ANSWERED in site.said()

    def work(self, site: Site) -> None:
        self._tell(site, "initialized", {})
        for i in range(self.files):
            document = {
                "uri": self._uri(site, i),
                "languageId": self.language,
                "version": 1,
                "text": self.source(i),
            }
            self._tell(site, "textDocument/didOpen", {"textDocument": document})
        for i in range(0, self.files, 10):
            self._answered(site, i)

    def works(self, site: Site) -> bool:
        return self._answered(site, 3)

    def _answered(self, site: Site, i: int) -> bool:
        position = {"line": 3, "character": 8}
        asked = {
            "textDocument": {"uri": self._uri(site, i)},
            "position": position,
            "range": {"start": position, "end": position},
            "context": {"diagnostics": []},
        }
        number = self._tell(site, self.query, asked, asks=True)
        answer = re.compile(rf'"id": ?{number}\b')
        return within(_WITHIN, lambda: bool(answer.search(site.said())))

    def _uri(self, site: Site, i: int) -> str:
        return (site.folder / f"src/m{i}.{self.suffix}").as_uri()

    def _tell(self, site: Site, method: str, params: object, *, asks: bool = False) -> int:
        """A message of the Language Server Protocol; one that asks has a number."""
        message: dict[str, object] = {"jsonrpc": "2.0", "method": method, "params": params}
        number = int(site.notes["asked"]) + asks
        if asks:
            message["id"] = number
            site.notes["asked"] = str(number)
        body = json.dumps(message).encode()
        site.send(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        return number


class Buf(LanguageServer):
    binary = "*.data/scripts/buf"
    language = suffix = "proto"
    files = 40

    def command(self, site: Site) -> list[str]:
        return ["lsp", "serve"]

    def prepare(self, site: Site) -> None:
        super().prepare(site)
        site.write("buf.yaml", "version: v2\nmodules:\n  - path: src\n")

    def source(self, i: int) -> str:
        imports = f'import "m{i - 1}.proto";\n' if i else ""
        linked = f"  zoo.M{i - 1}_0 before = 9;\n" if i else ""
        messages = "\n".join(
            f"// A message.\nmessage M{i}_{k} {{\n  string name = 1;\n  repeated int64 sizes = 2;\n"
            f"  map<string, M{i}_{k}> inner = 3;\n{linked}}}"
            for k in range(40)
        )
        return f'syntax = "proto3";\npackage zoo;\n{imports}{messages}\n'


class Rslint(LanguageServer):
    binary = "package/rslint"
    language, suffix = "typescript", "ts"
    query = "textDocument/codeAction"

    def command(self, site: Site) -> list[str]:
        return ["--lsp"]

    def prepare(self, site: Site) -> None:
        super().prepare(site)
        site.write("tsconfig.json", json.dumps({"include": ["src"]}))
        rules = {"@typescript-eslint/no-unsafe-return": "error"}
        options = {"parserOptions": {"project": ["./tsconfig.json"]}}
        site.write("rslint.json", json.dumps([{"languageOptions": options, "rules": rules}]))

    def source(self, i: int) -> str:
        return module(i)


PROGRAMS = (
    Buf("buf", Package("pypi", "buf-bin", "1.75.0")),
    Rslint("rslint", Package("npm", "@rslint/linux-x64", "0.5.3")),
)

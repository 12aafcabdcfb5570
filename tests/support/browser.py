"""A real headless Chromium, for what a page does and looks like in one."""

from __future__ import annotations

import base64
import importlib.util
import json
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

_FLAGS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_FOLDER_OF_DEBIAN = "/usr/lib/chromium"
_LOCAL = ("file", "data", "blob", "about", "chrome")


class Browser:
    """One window. Each page is opened anew, at a width in CSS pixels."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(
        self,
        page: Path,
        *,
        width: int = 1600,
        dark: bool = False,
        script: bool = True,
        still: bool = True,
    ) -> None:
        """`still`: as for readers who want no motion; `script` false: as with JavaScript off."""
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": "reduce" if still else "no-preference"},
        ]
        size = {"width": width, "height": 1000, "deviceScaleFactor": 1, "mobile": False}
        self._tell("Emulation.setEmulatedMedia", features=features)
        self._tell("Emulation.setDeviceMetricsOverride", **size)
        self._tell("Emulation.setScriptExecutionDisabled", value=not script)
        self.driver.get(page.as_uri())

    def ask(self, script: str, *arguments: object) -> Any:
        """The value of a `return` in the page, also of a page that runs no script of its own."""
        return self.driver.execute_script(script, *arguments)

    def text(self) -> str:
        return str(self.ask("return document.body.innerText"))

    def complaints(self) -> list[str]:
        """What stands in the console since it was last asked for."""
        return self._log("browser")

    def asked_for(self) -> list[str]:
        """Addresses outside of this machine that were asked for since this was last called."""
        messages = [json.loads(text)["message"] for text in self._log("performance")]
        urls = [
            str(message["params"]["request"]["url"])
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]
        return [url for url in urls if urlsplit(url).scheme not in _LOCAL]

    def faults(self) -> list[str]:
        """What axe finds that is serious or worse. What is folded is not there for readers of any
        kind (and of ten thousand rows axe would look at each, for minutes)."""
        self.driver.execute_script(_axe())
        found = self.driver.execute_async_script(
            "const done = arguments[0];"
            "const folded = [...document.querySelectorAll('details.each:not([open])')];"
            "const aside = folded.map(e => [...e.children].slice(1));"
            "for (const parts of aside) for (const e of parts) e.remove();"
            "axe.run({ resultTypes: ['violations'] }).then(found => {"
            " folded.forEach((e, i) => e.append(...aside[i])); done(found); });"
        )
        return [
            f"{fault['id']}: {node['html'][:200]}"
            for fault in found["violations"]
            if fault["impact"] in ("serious", "critical")
            for node in fault["nodes"]
        ]

    def painted(self) -> float:
        """How many seconds after the page was asked for something of it was seen."""
        paints = (
            "return performance.getEntriesByName('first-contentful-paint').map(e => e.startTime)"
        )
        deadline = time.monotonic() + 30
        while not (told := self.ask(paints)):
            assert time.monotonic() < deadline, "nothing was painted"
            time.sleep(0.05)
        return float(told[0]) / 1000

    def sheets(self) -> int:
        """On how many sheets of paper it is printed."""
        printed = self.driver.execute_cdp_cmd("Page.printToPDF", {})
        return len(re.findall(rb"/Type\s*/Page\b", base64.b64decode(printed["data"])))

    def _log(self, name: str) -> list[str]:
        log: Any = self.driver.get_log(name)  # type: ignore[no-untyped-call]
        return [str(entry["message"]) for entry in log]

    def _tell(self, command: str, **arguments: object) -> None:
        self.driver.execute_cdp_cmd(command, arguments)


@contextmanager
def browser(profile: Path) -> Iterator[Browser]:
    """A browser of its own profile; skips the test, and says how to mend it, where none is."""
    binary = next((path for name in _BROWSERS if (path := shutil.which(name))), None)
    search = f"{os.environ.get('PATH', '')}:{_FOLDER_OF_DEBIAN}"
    service = shutil.which("chromedriver", path=search)
    if not binary or not service:
        pytest.skip(
            "NO BROWSER: pages are NOT tested here; apt-get install chromium chromium-driver"
        )
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for flag in (*_FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(service))
    try:
        yield Browser(driver)
    finally:
        driver.quit()


def _axe() -> str:
    spec = importlib.util.find_spec("axe_core_python")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).with_name("axe.min.js").read_text(encoding="utf-8")

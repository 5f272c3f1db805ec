# Copyright: the fediops.mastodon contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A headless Chromium, driven through its own debugging pipe: nothing listens, nothing else is needed."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time
import typing as t
from pathlib import Path

#: The pipe ends that Chromium reads and writes, by its own definition.
READS, WRITES = 3, 4
#: Seconds without an answer after which the browser is given up; only a defect makes it that long.
PATIENCE = 60.0


class Browser:
    """One browser process; each page is a tab of its own."""

    def __init__(self) -> None:
        self._folder = tempfile.mkdtemp(prefix="report-browser-")
        to_read, self._out = os.pipe()
        self._in, to_write = os.pipe()
        # Out of the way of the numbers that they get in the browser.
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (to_read, to_write)]
        start = f'exec "$@" {READS}<&{ends[0]} {WRITES}>&{ends[1]}'
        self._process = subprocess.Popen(
            [
                *("bash", "-c", start, "bash", "chromium"),
                *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"),
                *("--no-first-run", "--remote-debugging-pipe", f"--user-data-dir={self._folder}", "about:blank"),
            ],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (to_read, to_write, *ends):
            os.close(end)
        self._number = 0
        self._rest = b""
        #: What the browser reported beside the answers: console messages, dialogs, requests.
        self.events: list[dict[str, t.Any]] = []

    def close(self) -> None:
        """End the process that was started here."""
        os.close(self._out)
        os.close(self._in)
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def page(self, path: Path, **settings: t.Any) -> Page:
        """Open a file in a new tab."""
        return Page(self, path, **settings)

    def call(self, method: str, session: str = "", **parameters: t.Any) -> dict[str, t.Any]:
        """One command of the DevTools protocol, and its answer."""
        self._number += 1
        message: dict[str, t.Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.receive()
            if answer.get("id") == self._number:
                assert "error" not in answer, f"{method}: {answer['error']}"
                result: dict[str, t.Any] = answer["result"]
                return result
            self.events.append(answer)

    def receive(self) -> dict[str, t.Any]:
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._in], [], [], PATIENCE)
            assert ready, "the browser does not answer"
            piece = os.read(self._in, 1 << 20)
            assert piece, "the browser has ended"
            self._rest += piece
        line, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, t.Any] = json.loads(line)
        return message


class Page:
    """One tab with a file in it."""

    def __init__(
        self,
        browser: Browser,
        path: Path,
        *,
        width: int = 1280,
        height: int = 900,
        dark: bool = False,
        script: bool = True,
        fragment: str = "",
    ) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._target = target
        self._session = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._since = len(browser.events)
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 700,
        )
        self.media("screen", dark=dark)
        if not script:
            self.call("Emulation.setScriptExecutionDisabled", value=True)
        self.call("Page.navigate", url=path.as_uri() + fragment)
        while not self.events("Page.loadEventFired"):
            browser.events.append(browser.receive())

    def call(self, method: str, **parameters: t.Any) -> dict[str, t.Any]:
        return self._browser.call(method, self._session, **parameters)

    def events(self, method: str) -> list[dict[str, t.Any]]:
        """What this tab reported under a name since it was opened."""
        return [
            one["params"]
            for one in self._browser.events[self._since :]
            if one.get("method") == method and one.get("sessionId") == self._session
        ]

    def media(self, kind: str, *, dark: bool = False) -> None:
        """Screen or print, light or dark."""
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.call("Emulation.setEmulatedMedia", media=kind, features=features)

    def ask(self, expression: str) -> t.Any:
        """The value of a JavaScript expression."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def wait_until(self, expression: str) -> None:
        """Ask until the answer is true."""
        until = time.monotonic() + PATIENCE
        while not self.ask(expression):
            assert time.monotonic() < until, f"it never came to that: {expression}"

    def click(self, selector: str) -> None:
        """A real click in the middle of an element."""
        place = self.ask(
            f"""(() => {{
              const found = document.querySelector({json.dumps(selector)});
              found.scrollIntoView({{block: "center", behavior: "instant"}});
              const box = found.getBoundingClientRect();
              return [box.x + box.width / 2, box.y + box.height / 2];
            }})()"""
        )
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def write(self, text: str) -> None:
        """Type into what has the focus."""
        self.call("Input.insertText", text=text)

    def screenshot(self, path: Path, *, whole: bool = True) -> None:
        """A picture of the page, as PNG."""
        shot = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot["data"]))

    def pdf(self) -> bytes:
        """The page as it is printed."""
        self.media("print")
        return base64.b64decode(self.call("Page.printToPDF", printBackground=False, preferCSSPageSize=True)["data"])

    def close(self) -> None:
        self._browser.call("Target.closeTarget", targetId=self._target)

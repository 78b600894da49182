"""Control a real headless browser over the pipe of its DevTools protocol; nothing is installed.

Tests use it to open a page, click, type and look at the result.
"""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from attrs import define, field

from conformance.strict_data import Json, Table, parse_json

NAMES: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES: Final = (
    "/usr/bin/chromium",
    "/usr/bin/chromium-browser",
    "/snap/bin/chromium",
    "/opt/google/chrome/chrome",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
MISSING: Final = "no chromium: neither CHROME, nor on PATH, nor at a usual place"
_QUIET: Final = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update", "--disable-dev-shm-usage"),
    *("--force-color-profile=srgb", "--hide-scrollbars", "--remote-debugging-pipe"),
)
_HUNG: Final = 60
_KEYS: Final[Mapping[str, Mapping[str, Json]]] = {
    "Tab": {"windowsVirtualKeyCode": 9},
    "Escape": {"windowsVirtualKeyCode": 27},
    "Enter": {"windowsVirtualKeyCode": 13, "text": "\r"},
    "Space": {"windowsVirtualKeyCode": 32, "text": " ", "key": " "},
    "ArrowRight": {"windowsVirtualKeyCode": 39},
    "ArrowLeft": {"windowsVirtualKeyCode": 37},
    "ArrowDown": {"windowsVirtualKeyCode": 40},
    "/": {"windowsVirtualKeyCode": 191, "text": "/"},
}


def find() -> str | None:
    """Return the path of this machine's browser, or None; set `CHROME` to use another one."""
    named = os.environ.get("CHROME")
    found = [shutil.which(name) for name in ([named] if named else NAMES)]
    usual = [] if named else [place for place in PLACES if Path(place).is_file()]
    return next((path for path in [*found, *usual] if path), None)


@define
class Browser:
    """The pipe to a running browser: commands go in, answers and events come out."""

    _reading: int
    _writing: int
    _sent: int = 0
    _partial: bytes = b""
    events: list[Table] = field(factory=list[Table], init=False)

    def do(self, method: str, session: str = "", **parameters: Json) -> Table:
        """Send a command and return its result; raise AssertionError if it fails."""
        self._sent += 1
        message: dict[str, Json] = {"id": self._sent, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._writing, data) :]
        number = self._sent
        while True:
            answer = self._receive(method)
            if not answer.has("id"):
                self.events.append(answer)
            elif answer.count("id") == number:
                assert not answer.has("error"), f"{method}: {answer.values}"
                return answer.table("result")

    def listen(self) -> None:
        """Wait for an event that the browser sends by itself."""
        self.events.append(self._receive("an event"))

    def seen(self, method: str, session: str) -> list[Table]:
        """Return the parameters of all events of one kind."""
        return [
            event.table("params")
            for event in self.events
            if (event.text("method"), event.text("sessionId", "")) == (method, session)
        ]

    def _receive(self, awaited: str) -> Table:
        while b"\0" not in self._partial:
            ready, _, _ = select.select([self._reading], [], [], _HUNG)
            assert ready, f"the browser has said nothing for {_HUNG} s, awaited was {awaited}"
            block = os.read(self._reading, 1 << 20)
            assert block, f"the browser is gone, awaited was {awaited}"
            self._partial += block
        line, _, self._partial = self._partial.partition(b"\0")
        return Table.of("the browser's message", parse_json(line))


@define
class Page:
    """One page in its own profile, with every request that it made and every error it logged."""

    browser: Browser
    session: str

    def do(self, method: str, **parameters: Json) -> Table:
        """Send a command about this page."""
        return self.browser.do(method, self.session, **parameters)

    def go(self, address: str) -> None:
        """Open an address and wait until it is loaded."""
        self.browser.events.clear()
        loader = self.do("Page.navigate", url=address).text("loaderId")
        while not any(self._loaded(event, loader) for event in self._seen("Page.lifecycleEvent")):
            self.browser.listen()

    def again(self) -> None:
        """Reload the page, as a user does."""
        self.browser.events.clear()
        self.do("Page.reload")
        while all(each.text("name") != "load" for each in self._seen("Page.lifecycleEvent")):
            self.browser.listen()

    def _seen(self, method: str) -> Sequence[Table]:
        return self.browser.seen(method, self.session)

    @staticmethod
    def _loaded(event: Table, loader: str) -> bool:
        return (event.text("name"), event.text("loaderId")) == ("load", loader)

    def evaluate(self, expression: str) -> Json:
        """Return the value of an expression in the page; a promise is awaited."""
        found = self.do(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        assert not found.has("exceptionDetails"), f"{expression}: {found.values}"
        value = found.table("result")
        return value.raw("value") if value.has("value") else None

    def text(self, expression: str) -> str:
        """Return the value of an expression as text."""
        return str(self.evaluate(expression))

    def holds(self, expression: str) -> bool:
        """Check an expression in every frame for a while; return whether it became true."""
        return (
            self.evaluate(
                "new Promise((resolve) => { let left = 300; const look = () => { "
                f"if ({expression}) resolve(true); else if (left-- === 0) resolve(false); "
                "else setTimeout(look, 16); }; look(); })"
            )
            is True
        )

    def screen(self, width: int, height: int, *, mobile: bool = False) -> None:
        """Resize the window, in pixels."""
        size: Mapping[str, Json] = {"width": width, "height": height, "mobile": mobile}
        self.do("Emulation.setDeviceMetricsOverride", deviceScaleFactor=1, **size)

    def media(self, kind: str = "", *, colours: str = "light") -> None:
        """Emulate paper or a screen, and a user who prefers light or dark."""
        feature: Mapping[str, Json] = {"name": "prefers-color-scheme", "value": colours}
        self.do("Emulation.setEmulatedMedia", media=kind, features=[feature])

    def press(self, key: str, *, shift: bool = False) -> None:
        """Press and release a key."""
        about: Mapping[str, Json] = {"key": key, "code": key, **_KEYS[key]}
        held = 8 if shift else 0
        self.do("Input.dispatchKeyEvent", type="keyDown", modifiers=held, **about)
        self.do("Input.dispatchKeyEvent", type="keyUp", modifiers=held, **about)

    def type(self, text: str) -> None:
        """Type a text into the element that has the focus."""
        for each in text:
            self.do("Input.dispatchKeyEvent", type="keyDown", key=each, text=each)
            self.do("Input.dispatchKeyEvent", type="keyUp", key=each)

    def click(self, selector: str) -> None:
        """Click with the mouse in the middle of the first element that a selector finds."""
        place = Table.of(
            selector,
            self.evaluate(
                f"(async () => {{ const found = document.querySelector({json.dumps(selector)}); "
                "if (!found) return null; "
                "found.scrollIntoView({block: 'center', behavior: 'instant'}); "
                # Scrolling may lay out new content, which moves what is below it.
                "for (let n = 0; n < 2; n++) await new Promise(requestAnimationFrame); "
                "const box = found.getClientRects()[0]; "
                "return {x: box.x + box.width / 2, y: box.y + box.height / 2}; })()"
            ),
        )
        at: Mapping[str, Json] = {"x": place.number("x"), "y": place.number("y")}
        for kind in ("mousePressed", "mouseReleased"):
            self.do("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)

    def requests(self) -> Sequence[str]:
        """Return every address that was requested since the page was opened."""
        sent = self._seen("Network.requestWillBeSent")
        return [each.table("request").text("url") for each in sent]

    def complaints(self) -> Sequence[str]:
        """Return the messages of the console, the log and uncaught exceptions."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [str(said.values) for kind in kinds for said in self._seen(kind)]

    def picture(self, path: Path, *, whole: bool = True) -> None:
        """Take a picture of the whole page, or of the window."""
        shot = self.do("Page.captureScreenshot", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(shot.text("data")))


@contextmanager
def started(program: str, folder: Path) -> Generator[Browser]:
    """Start a browser with its profile in `folder`, and stop it at the end."""
    ours, theirs = os.pipe(), os.pipe()
    # The browser reads from descriptor 3 and writes to 4.
    high = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (ours[0], theirs[1])]
    nowhere = [(os.POSIX_SPAWN_OPEN, n, os.devnull, os.O_RDWR, 0) for n in range(3)]
    process = os.posix_spawn(
        program,
        [program, *_QUIET, f"--user-data-dir={folder}", "about:blank"],
        os.environ,
        file_actions=[
            *nowhere,
            (os.POSIX_SPAWN_DUP2, high[0], 3),
            (os.POSIX_SPAWN_DUP2, high[1], 4),
        ],
        setpgroup=0,
    )
    for end in (ours[0], theirs[1], *high):
        os.close(end)
    try:
        yield Browser(theirs[0], ours[1])
    finally:
        _stop(process)
        os.close(ours[1])
        os.close(theirs[0])


def _stop(process: int) -> None:
    os.killpg(process, signal.SIGKILL)
    os.waitpid(process, 0)


@contextmanager
def opened(browser: Browser) -> Generator[Page]:
    """Open a page that shares nothing with any other."""
    context = browser.do("Target.createBrowserContext").text("browserContextId")
    target = browser.do("Target.createTarget", url="about:blank", browserContextId=context)
    identity = target.text("targetId")
    attached = browser.do("Target.attachToTarget", targetId=identity, flatten=True)
    page = Page(browser, attached.text("sessionId"))
    for domain in ("Page", "Runtime", "Network", "Log"):
        page.do(f"{domain}.enable")
    page.do("Page.setLifecycleEventsEnabled", enabled=True)
    page.screen(1280, 900)
    page.media()
    try:
        yield page
    finally:
        browser.do("Target.disposeBrowserContext", browserContextId=context)

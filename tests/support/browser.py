"""Headless Chromium, spoken to through its own debugging pipe: no driver, no further package."""

import base64
import contextlib
import fcntl
import json
import os
import select
import shutil
import subprocess
import time

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
    None,
)
PATIENCE = 60.0
"""Seconds that Chromium may take to answer before a test fails."""


@contextlib.contextmanager
def browser(profile, width=1280, height=900):
    """A `Page` of a Chromium with an empty profile folder; it is closed in the end."""
    to_read, to_write = os.pipe(), os.pipe()

    def as_3_and_4():
        ends = (to_read[0], to_write[1])  # by way of high numbers, since one of them may be 3 or 4
        for target, end in zip(
            (3, 4), [fcntl.fcntl(e, fcntl.F_DUPFD_CLOEXEC, 64) for e in ends], strict=True
        ):
            os.dup2(end, target)

    command = [
        *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking"),
        *("--no-first-run", "--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-pipe"),
        *(f"--user-data-dir={profile}", f"--window-size={width},{height}", "about:blank"),
    ]
    process = subprocess.Popen(
        command,
        preexec_fn=as_3_and_4,
        close_fds=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(to_read[0])
    os.close(to_write[1])
    try:
        page = Page(to_read[1], to_write[0])
        page.size(width, height)
        yield page
    finally:
        with contextlib.suppress(Exception):
            page.call("Browser.close", whole=True)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        os.close(to_read[1])
        os.close(to_write[0])


class Page:
    """One page: what it asks of the network and says on its console is kept."""

    def __init__(self, writing, reading):
        self.writing, self.reading = writing, reading
        self.number, self.buffer, self.events = 0, b"", []
        target = self.call("Target.createTarget", url="about:blank", whole=True)["targetId"]
        self.session = self.call("Target.attachToTarget", targetId=target, flatten=True, whole=True)[
            "sessionId"
        ]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method, whole=False, **parameters):
        """A command of the DevTools protocol; ``whole`` for the browser, else for the page."""
        self.number += 1
        message = {"id": self.number, "method": method, "params": parameters}
        if not whole:
            message["sessionId"] = self.session
        os.write(self.writing, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._next()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def open(self, address):
        """Go to an address; seconds until the page and all in it were loaded."""
        self.events.clear()
        started = time.monotonic()
        self.call("Page.navigate", url=address)
        while not self.heard("Page.loadEventFired"):
            self.events.append(self._next())
        return time.monotonic() - started

    def heard(self, method):
        """The parameters of the events of this name."""
        return [event["params"] for event in self.events if event.get("method") == method]

    def run(self, script):
        """The value of a JavaScript expression, or what its promise comes to."""
        result = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def until(self, script):
        """Wait until a JavaScript condition holds, looked at by the page each frame."""
        waiting = (
            "new Promise((done, fail) => { const start = performance.now(); const look = () => "
            f"({script}) ? done(true) : performance.now() - start > {1000 * PATIENCE} "
            "? fail(new Error('never')) : requestAnimationFrame(look); look(); })"
        )
        assert self.run(waiting)

    def press(self, key, text=""):
        """Press and release a key."""
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, text=text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key)

    def size(self, width, height, mobile=False):
        """Make the page as large as a screen."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=mobile,
        )

    def theme(self, name):
        """Let the page believe that the user likes ``light`` or ``dark``."""
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": name}])

    def picture(self, path, whole=True):
        """Write a screenshot as PNG."""
        data = self.call("Page.captureScreenshot", captureBeyondViewport=whole)["data"]
        path.write_bytes(base64.b64decode(data))

    def complaints(self):
        """Errors and warnings of the console, and exceptions that nobody caught."""
        entries = [event["entry"]["text"] for event in self.heard("Log.entryAdded")]
        said = [
            event["args"][0].get("value")
            for event in self.heard("Runtime.consoleAPICalled")
            if event["type"] in ("error", "warning")
        ]
        thrown = [event["exceptionDetails"]["text"] for event in self.heard("Runtime.exceptionThrown")]
        return [*entries, *said, *thrown]

    def requests(self):
        """Addresses that the page asked for, data inside the page left out."""
        asked = [event["request"]["url"] for event in self.heard("Network.requestWillBeSent")]
        return [address for address in asked if not address.startswith("data:")]

    def _next(self):
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.reading], [], [], PATIENCE)
            assert ready, "Chromium does not answer"
            data = os.read(self.reading, 1 << 16)
            assert data, "Chromium has gone"
            self.buffer += data
        message, _, self.buffer = self.buffer.partition(b"\0")
        return json.loads(message)

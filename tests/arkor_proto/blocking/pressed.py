"""A program that follows a job while Ctrl-C is pressed from outside; it says what it has heard.

`python -m tests.arkor_proto.blocking.pressed URL HANDLER` prints a line when it can be pressed again,
and at last a JSON object. `HANDLER` says what Ctrl-C does: "python" raises KeyboardInterrupt, "own"
raises an Exception of the application; with "thread" the program presses by itself, in a thread.
"client" makes a client anew after each press, so that some presses come while one is closed.
"""

import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from types import FrameType

from attrs import define, field

from arkor_proto.transports.blocking import ArkorClient, Callbacks, Trainer


class Pressed(Exception):
    """What the handler of this application raises."""


def raise_pressed(_: int, __: FrameType | None) -> None:
    """Be the handler of this application."""
    raise Pressed


@define
class Follower:
    """Follows the job, from where the last interrupt left it."""

    url: str
    heard: list[int | None] = field(factory=list[int | None])
    interrupts: int = 0
    cursor: str = ""
    trainer: Trainer | None = None

    def attach(self, client: ArkorClient) -> Trainer:
        """Return a trainer that resumes from the cursor."""
        hear = Callbacks(on_log=lambda event: self.heard.append(event.step))
        return client.attach("j", last_event_id=self.cursor, callbacks=hear)

    def wait(self) -> None:
        """Wait with the one trainer of the one client."""
        if self.trainer is None:
            self.trainer = self.attach(ArkorClient(self.url))
        self.trainer.wait()

    def wait_anew(self) -> None:
        """Wait with a new client, and close it."""
        if self.trainer is not None:
            self.cursor = self.trainer.last_event_id
        with ArkorClient(self.url) as client:
            self.trainer = self.attach(client)
            self.trainer.wait()

    def follow(self, wait: Callable[[], None], ready: Callable[[], object]) -> None:
        """Wait until the job is over, again after each interrupt."""
        while True:
            try:
                ready()
                wait()
                signal.signal(signal.SIGINT, signal.SIG_IGN)
            except (KeyboardInterrupt, Pressed):
                self.interrupts += 1
            else:
                return

    def report(self) -> object:
        """Return what went wrong, as JSON."""
        highest, lost, back = 0, 0, 0
        for step in (each or 0 for each in self.heard):
            lost += step > highest + 1
            back += step < highest
            highest = max(highest, step)
        return {"lost": lost, "back": back, "interrupts": self.interrupts, "heard": highest}


def say(line: str) -> None:
    """Print a line at once."""
    os.write(1, line.encode() + b"\n")


def press(ready: threading.Semaphore, seed: int) -> None:
    """Press at random moments, in this thread, which does not wake the main one by itself."""
    chance = random.Random(seed)  # noqa: S311 - the same presses each time
    while True:
        ready.acquire()
        time.sleep(chance.random() * 0.005)
        signal.pthread_kill(threading.get_ident(), signal.SIGINT)
        say("pressed")


def main(url: str, handler: str) -> None:
    """Follow, and report."""
    follower = Follower(url)
    ready: Callable[[], object] = partial(say, "ready")

    def swallowed(what: "sys.UnraisableHookArgs") -> None:
        """Be pressed once more: Python ignores what is raised in a destructor."""
        sys.__unraisablehook__(what)
        ready()

    sys.unraisablehook = swallowed
    if handler == "own":
        signal.signal(signal.SIGINT, raise_pressed)
    if handler == "thread":
        semaphore = threading.Semaphore(0)
        threading.Thread(target=press, args=(semaphore, 1), daemon=True).start()
        ready = semaphore.release
    follower.follow(follower.wait_anew if handler == "client" else follower.wait, ready)
    say(json.dumps(follower.report()))


if __name__ == "__main__":
    main(*sys.argv[1:])

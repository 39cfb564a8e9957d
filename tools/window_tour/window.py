"""A Blender window under Xvfb, with a mouse, a keyboard and a camera."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from blender_addon.build import build_addon

SIZE_PX = (1600, 1000)
PROGRAMS = ("blender", "Xvfb", "xdotool", "import")
PACKAGES = "blender xvfb xdotool imagemagick python3-numpy python3-requests"
PATIENCE_S = 60.0
"""How long a step may need to show; that is long, since the machine may have other work."""
_COLORS = 128
_SETTLE_S = 0.25  # so that clicks are seen apart; what they lead to is waited for
_ROW_PX = 9  # less than half the height of a button
_ACROSS = (0.6, 0.25)  # where the mouse looks in a row: behind the label, then at the left of two buttons


class TourError(Exception):
    """A step that did not lead where the tutorial says."""


class Window:
    """Blender's window: what a person can do with it, and what the tour may ask it."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._lines = connection.makefile()
        self._found_y = 0

    def ask(self, question: str) -> Any:
        """Return the value of a Python expression inside Blender (see `inside`).

        Raises:
            TourError: The expression failed, or Blender is gone.
        """
        self._connection.sendall(question.encode() + b"\n")
        line = self._lines.readline()
        if not line:
            raise TourError(f"Blender ended while it was asked for {question}")
        answer = json.loads(line)
        if "error" in answer:
            raise TourError(f"{question}: {answer['error']}")
        return answer["value"]

    def wait_for(self, question: str, *, seconds: float = PATIENCE_S) -> Any:
        """Return an expression's value as soon as it is true.

        Raises:
            TourError: It was not within the time.
        """
        return waited_for(lambda: self.ask(question), question, seconds=seconds)

    def move(self, x: int, y: int) -> None:
        """Move the mouse to a pixel of the screen."""
        _xdotool("mousemove", str(x), str(y))

    def click(self, x: int, y: int, *, times: int = 1, held: str = "") -> None:
        """Click with the left button, a key such as "shift" held down."""
        self.move(x, y)
        time.sleep(_SETTLE_S)
        if held:
            _xdotool("keydown", held)
        _xdotool("click", "--repeat", str(times), "--delay", "60", "1")
        if held:
            _xdotool("keyup", held)
        time.sleep(_SETTLE_S)

    def press(self, *keys: str) -> None:
        """Press keys one after the other, by X's names."""
        for key in keys:
            _xdotool("key", key)
            time.sleep(_SETTLE_S)

    def write(self, text: str) -> None:
        """Type a text."""
        _xdotool("type", "--delay", "12", text)
        time.sleep(_SETTLE_S)

    def middle_of(self, kind: str, part: str = "WINDOW") -> tuple[int, int]:
        """Return the middle of a region."""
        left, top, width, height = self.ask(f"box({kind!r}, {part!r})")
        return left + width // 2, top + height // 2

    def open_tab(self, panel: str) -> None:
        """Open the sidebar's tab that holds a panel, trying the tabs from the top.

        Raises:
            TourError: None of them does.
        """
        left, top, width, height = self.ask("box('VIEW_3D', 'UI')")
        for y in range(top + 20, top + height - 20, 25):
            self.click(left + width - 12, y)
            if self.shows(panel):
                return
        raise TourError(f"No tab of the sidebar shows {panel}")

    def redrawn(self) -> float:
        """Have everything drawn again, wait until it was, and return when that was asked for, by Blender's clock.

        Raises:
            TourError: It was not.
        """
        asked = self.ask("redraw()")
        self.wait_for(f"is_drawn('view', {asked})")  # answered between two drawings: the first is done
        return asked

    def shows(self, panel: str) -> bool:
        """Say whether a panel stands open in the sidebar."""
        self.redrawn()  # whatever the mouse and the keys did is drawn after this
        return self.ask(f"is_drawn({panel!r}, {self.redrawn()})")

    def find(self, action: str, *, kind: str = "VIEW_3D", part: str = "UI") -> tuple[int, int]:
        """Return where the button is that does something, scrolling the region as far as needed.

        Args:
            action: Part of the operator's call or of the property's path, such as `dvp.submit(`.
            kind: The area's.
            part: The region's.

        Raises:
            TourError: There is none.
        """
        self.move(*self.middle_of(kind, part))
        for _ in range(12):
            place = self._seen(action, kind, part)
            if place is not None and self._is_still_there(place, action, kind, part):
                return place
            if place is None:
                self.scroll(kind, part, clicks=8)
        raise TourError(f"No button for '{action}' in {kind} {part}")

    def scroll(self, kind: str, part: str, *, clicks: int) -> None:
        """Turn the mouse wheel over a region, down where `clicks` is above zero."""
        left, top, width, height = self.ask(f"box({kind!r}, {part!r})")
        self.move(left + width // 2, top + height // 2)
        time.sleep(2 * _SETTLE_S)
        _xdotool("click", "--repeat", str(abs(clicks)), "--delay", "20", "5" if clicks > 0 else "4")
        time.sleep(2 * _SETTLE_S)

    def use(self, action: str, *, kind: str = "VIEW_3D", part: str = "UI") -> None:
        """Click the button that does something."""
        self.click(*self.find(action, kind=kind, part=part))

    def fill(self, path: str, text: str) -> tuple[int, int]:
        """Paste a text into the sidebar's field of a property, as Ctrl-V over it does, and return where it stands."""
        place = self.find(path)
        self.paste(place, text)
        return place

    def paste(self, place: tuple[int, int], text: str) -> None:
        """Paste a text into the field at a place."""
        self.move(*place)
        time.sleep(2 * _SETTLE_S)
        self.ask(f"copy({text!r})")
        self.press("ctrl+v")

    def picture(self, path: Path, *, box: tuple[int, int, int, int] | None = None) -> None:
        """Save what the screen shows, or a part (left, top, right, bottom) of it, as a PNG of few colours.

        The mouse goes aside for it, so that no hint of a button lies over the picture.
        """
        self.move(SIZE_PX[0] // 2, SIZE_PX[1] - 4)
        time.sleep(2 * _SETTLE_S)
        self.redrawn()
        self.redrawn()
        path.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["import", "-window", "root", str(path)], check=True)
        with Image.open(path) as screen:
            shown = screen.convert("RGB").crop(box) if box else screen.convert("RGB")
        shown.quantize(_COLORS, dither=Image.Dither.NONE).save(path, optimize=True)

    def _is_still_there(self, place: tuple[int, int], action: str, kind: str, part: str) -> bool:
        """Say whether a button is where it was seen: panels slide for a moment after one above was opened or closed."""
        time.sleep(2 * _SETTLE_S)
        self.move(place[0] + 1, place[1])
        time.sleep(_SETTLE_S)
        return action in self.ask(f"under_mouse({kind!r}, {part!r})")

    def _seen(self, action: str, kind: str, part: str) -> tuple[int, int] | None:
        left, top, width, height = self.ask(f"box({kind!r}, {part!r})")
        for across in _ACROSS:
            x = left + round(across * (width - 24))
            rows = range(top + 4, top + height - 4, _ROW_PX)
            for y in sorted(rows, key=lambda row: (row < self._found_y, row)):  # mostly it stands below the last one
                self.move(x, y)
                time.sleep(0.03)
                if action in self.ask(f"under_mouse({kind!r}, {part!r})"):
                    self._found_y = y
                    return x, y + 2
        return None


@contextmanager
def opened_window(work: Path, farm: dict[str, str]) -> Iterator[Window]:
    """Start the X server and Blender with the add-on from its built zip, and end both afterwards.

    Args:
        work: Folder for Blender's own settings and for the log.
        farm: Address, token and shared folder, by their variables of `inside`.

    Raises:
        TourError: A program is missing, or Blender does not come up.
    """
    if missing := [program for program in PROGRAMS if shutil.which(program) is None]:
        raise TourError(f"{missing[0]} is missing: apt-get install --no-install-recommends {PACKAGES}")
    with ExitStack() as stack:
        os.environ["DISPLAY"] = stack.enter_context(_screen(work / "xvfb.log"))
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        listener.settimeout(300)
        scripts = _installed_addon(work / "scripts")
        shutil.rmtree(work / "config", ignore_errors=True)
        own = {"BLENDER_USER_SCRIPTS": str(scripts), "BLENDER_USER_CONFIG": str(work / "config")}
        own |= {"DVP_TOUR_PORT": str(listener.getsockname()[1])} | farm
        words = ["blender", "--factory-startup", "--window-geometry", "0", "0", *map(str, SIZE_PX)]
        words += ["--python", str(Path(__file__).with_name("inside.py"))]
        log = work / "blender.log"
        stack.enter_context(started(words, log, os.environ | own))
        try:
            connection, _ = listener.accept()
        except TimeoutError as error:
            raise TourError(f"Blender did not come up; see {log}") from error
        yield Window(stack.enter_context(connection))


@contextmanager
def _screen(log: Path) -> Iterator[str]:
    """Run an X server under a number that no other has, and say which."""
    reading, writing = os.pipe()
    words = ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SIZE_PX[0]}x{SIZE_PX[1]}x24"]
    with started(words, log, passed=(writing,)), os.fdopen(reading) as numbers:
        os.close(writing)
        number = numbers.readline().strip()
        if not number:
            raise TourError(f"The X server did not come up; see {log}")
        yield f":{number}"


@contextmanager
def started(
    words: list[str], log: Path, own: dict[str, str] | None = None, *, passed: tuple[int, ...] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program beside this one, its output in a log, and end it afterwards."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with (
        log.open("wb") as stream,
        subprocess.Popen(words, stdout=stream, stderr=stream, env=own, pass_fds=passed) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


def waited_for(look: Callable[[], Any], what: str, *, seconds: float = PATIENCE_S) -> Any:
    """Return what a function gives as soon as that is true.

    Raises:
        TourError: It was not within the time.
    """
    end = time.monotonic() + seconds
    while not (value := look()):
        if time.monotonic() > end:
            raise TourError(f"Waited {seconds:.0f} s in vain for {what}")
        time.sleep(0.2)
    return value


def _installed_addon(scripts: Path) -> Path:
    """Unpack the extension as Blender 4.2 does by itself, its wheel beside the other modules, and return the folder."""
    shutil.rmtree(scripts, ignore_errors=True)
    addon = scripts / "addons" / "deep_video_portraits"
    with zipfile.ZipFile(build_addon(scripts.with_suffix(".zip"))) as archive:
        archive.extractall(addon)
    with zipfile.ZipFile(next(addon.glob("wheels/*.whl"))) as wheel:
        wheel.extractall(scripts / "addons" / "modules")
    return scripts


def _xdotool(*words: str) -> None:
    subprocess.run(["xdotool", *words], check=True)

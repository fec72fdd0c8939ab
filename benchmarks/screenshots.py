"""Write the README's words of the quickstart, and a picture of each page that it leads to.

Run by `make screenshots`. Needs Chromium (TENURE_CHROMIUM names it).
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURES = ROOT / "docs" / "screenshots"
BLOCK = re.compile(r"(<!-- quickstart:begin -->\n).*?(<!-- quickstart:end -->)", re.DOTALL)
PASSWORD = re.compile(r"(?<=with the password )\S+")
LARGEST = 300_000  # bytes of a picture
WIDE = {"width": 1280, "height": 900}
TALL = {"width": 1280, "height": 1500}
NARROW = {"width": 360, "height": 780}
FIRST_ACCOUNT = "main tbody th a"
Options = dict[str, Any]
SHOTS: dict[str, tuple[str, Options]] = {
    "work-list": ("/", {}),
    "work-list-dark": ("/", {"color_scheme": "dark"}),
    "work-list-360": ("/", {"viewport": NARROW}),
    "work-list-zh": ("/", {"locale": "zh-CN"}),
    "ready-to-grow": ("/?tab=grow", {}),
    "account": (FIRST_ACCOUNT, {"viewport": TALL}),
    "account-360": (FIRST_ACCOUNT, {"viewport": NARROW}),
    "portfolio": ("/portfolio", {}),
    "disagreements": ("/disagreements", {}),
    "operations": ("/operations", {}),
}
"""By name: an address, or what is followed from the work list; and how it is looked at."""


def main() -> None:
    """Run the quickstart in an empty home, then take its words and its pages down."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        said = quickstart(home)
        password = found(PASSWORD.pattern, said)
        words = PASSWORD.sub("…", said).strip("\n")
        text = README.read_text(encoding="utf-8")
        shown = BLOCK.sub(lambda m: f"{m.group(1)}```text\n{words}\n```\n{m.group(2)}", text)
        README.write_text(shown, encoding="utf-8")
        with served(home) as url, chromium() as browser:
            photograph(browser, url, password)


def quickstart(home: Path) -> str:
    """Give what `tenure quickstart` prints on standard output."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("tenure")), "quickstart"],
        env={**os.environ, "TENURE_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return done.stdout


@contextmanager
def served(home: Path) -> Iterator[str]:
    """Serve a home on a free port, and give where."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    service = subprocess.Popen(
        [sys.executable, "-m", "tenure", "serve", "--port", url.rpartition(":")[2]],
        env={**os.environ, "TENURE_HOME": str(home)},
        cwd=ROOT,
    )
    try:
        wait_for(url)
        yield url
    finally:
        service.terminate()
        service.wait()


def wait_for(url: str) -> None:
    """Wait until the service answers, a minute at most."""
    for _ in range(120):
        try:
            httpx.get(f"{url}/livez").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.5)
        else:
            return
    sys.exit("expected the service to answer within a minute, got nothing")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Give the machine's Chromium."""
    path = os.environ.get("TENURE_CHROMIUM", "/usr/bin/chromium")
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=as_root)
        yield browser
        browser.close()


def photograph(browser: Browser, url: str, password: str) -> None:
    """Sign in, and take a picture of each page."""
    PICTURES.mkdir(exist_ok=True)
    plain: Options = {"base_url": url, "locale": "en-GB", "viewport": WIDE}
    first = browser.new_page(**plain)
    first.goto("/login")
    keep(first, "login")
    first.get_by_label("E-mail address").fill("admin@localhost")
    first.get_by_label("Password").fill(password)
    first.get_by_role("button").click()
    first.wait_for_selector("main table")
    state = first.context.storage_state()
    for name, (place, options) in SHOTS.items():
        page = browser.new_page(**plain | options, storage_state=state)
        lead(page, place)
        keep(page, name)
        page.context.close()


def lead(page: Page, place: str) -> None:
    """Go to an address, or follow what is found on the work list."""
    answer = page.goto(place if place.startswith("/") else "/")
    if answer is None or not answer.ok:
        sys.exit(f"expected the page {place}, got {answer and answer.status}")
    if not place.startswith("/"):
        page.locator(place).first.click()
        page.wait_for_load_state()


def keep(page: Page, name: str) -> None:
    """Write a picture of what is seen, of 256 colours: text stays sharp, and the file small."""
    file = PICTURES / f"{name}.png"
    drawn = Image.open(BytesIO(page.screenshot())).convert("RGB")
    drawn.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > LARGEST:
        sys.exit(f"expected {file.name} below {LARGEST} bytes, got {file.stat().st_size}")


def found(pattern: str, text: str) -> str:
    """Find a pattern, or stop with what was looked for."""
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"expected {pattern} in the words of the quickstart, got none")
    return match.group()


if __name__ == "__main__":
    main()

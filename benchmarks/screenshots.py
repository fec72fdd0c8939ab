"""Write the README's picture of the quickstart: its words, and the page it leads to.

Run by `make readme`. Needs Chromium (TENURE_CHROMIUM names it) for the page.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PICTURE = ROOT / "docs" / "worklist.png"
BLOCK = re.compile(r"(<!-- quickstart:begin -->\n).*?(<!-- quickstart:end -->)", re.DOTALL)
PASSWORD = re.compile(r"(?<=with the password )\S+")
CHROMIUM = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--window-size=1280,900",
]


def main() -> None:
    """Run the quickstart in an empty home, then take its words and its page down."""
    with tempfile.TemporaryDirectory() as folder:
        said = quickstart(Path(folder))
        password = found(PASSWORD.pattern, said).group()
        words = PASSWORD.sub("…", said).strip("\n")
        text = README.read_text(encoding="utf-8")
        shown = BLOCK.sub(lambda m: f"{m.group(1)}```text\n{words}\n```\n{m.group(2)}", text)
        README.write_text(shown, encoding="utf-8")
        photograph(page(Path(folder), password))


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


def page(home: Path, password: str) -> str:
    """Sign in to a real service and give the work list with its style in it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    service = subprocess.Popen(
        [sys.executable, "-m", "tenure", "serve", "--port", str(port)],
        env={**os.environ, "TENURE_HOME": str(home)},
        cwd=ROOT,
    )
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", follow_redirects=True) as browser:
            wait_for(browser)
            return styled_list(browser, password)
    finally:
        service.terminate()
        service.wait()


def wait_for(browser: httpx.Client) -> None:
    """Wait until the service answers, a minute at most."""
    for _ in range(120):
        try:
            browser.get("/livez").raise_for_status()
        except httpx.TransportError:
            time.sleep(0.5)
        else:
            return
    sys.exit("expected the service to answer within a minute, got nothing")


def styled_list(browser: httpx.Client, password: str) -> str:
    """Sign in, and put the style sheet into the page."""
    mark = found(r'name="mark" value="([^"]+)"', browser.get("/login").text)
    form = {"mark": mark.group(1), "login": "admin@localhost", "password": password}
    listed = browser.post("/login", data=form).raise_for_status().text
    link = found(r'<link rel="stylesheet" href="([^"]+)">', listed)
    style = browser.get(link.group(1)).raise_for_status().text
    return listed.replace(link.group(), f"<style>{style}</style>")


def found(pattern: str, text: str) -> re.Match[str]:
    """Find a pattern, or stop with what was looked for."""
    match = re.search(pattern, text)
    if match is None:
        sys.exit(f"expected {pattern} in the page, got none")
    return match


def photograph(html: str) -> None:
    """Let Chromium draw the page."""
    chromium = os.environ.get("TENURE_CHROMIUM", "/usr/bin/chromium")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "page.html"
        file.write_text(html, encoding="utf-8")
        profile = f"--user-data-dir={folder}/profile"
        subprocess.run(
            [chromium, *CHROMIUM, profile, f"--screenshot={PICTURE}", file.as_uri()], check=True
        )


if __name__ == "__main__":
    main()

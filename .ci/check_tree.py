"""Fail when a tracked file names a package index, a download address or a path of a machine."""

import re
import subprocess
import sys
from pathlib import Path

FORBIDDEN = {
    "a package index or download address": re.compile(
        r"https?://\S+/(?:simple|packages)/|--(?:extra-)?index-url\s+http|find-links\s+\S"
    ),
    "a path of a machine": re.compile(r"(?<![\w.$}])/(?:root|home/\w+|work)/\w"),
}


def offences(name: str, text: str) -> list[str]:
    """Give one line per forbidden thing that the text of a file holds."""
    return [
        f"{name}:{number}: {what}: {line.strip()[:100]}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in FORBIDDEN.items()
        if pattern.search(line)
    ]


def main() -> int:
    """Print every offence of the tracked files; 0 when there is none."""
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=True)  # noqa: S607 - git of the PATH
    found = []
    for name in listed.stdout.splitlines():
        try:
            found += offences(name, Path(name).read_text(encoding="utf-8"))
        except (UnicodeDecodeError, FileNotFoundError):
            continue  # a picture, or a file deleted and not yet committed
    print("\n".join(found))
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())

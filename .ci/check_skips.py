"""Fail when a test was skipped for any reason but missing public data, or when none ran."""

import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

ALLOWED = "public data missing"


def skipped(report: ET.Element) -> Iterator[tuple[str, str]]:
    """Give the name and the reason of each skipped test of a JUnit report."""
    for case in report.iter("testcase"):
        for skip in case.iter("skipped"):
            yield f"{case.get('classname')}::{case.get('name')}", skip.get("message") or ""


def main(path: str) -> int:
    """Print what is wrong with the report at `path`; 0 when nothing is."""
    text = Path(path).read_text(encoding="utf-8")
    if not text:
        print("expected a JUnit report, got an empty file: the tests did not start")
        return 1
    report = ET.fromstring(text)  # noqa: S314 - our own pytest wrote it a moment ago
    if not any(True for _ in report.iter("testcase")):
        print("expected tests to run, got none")
        return 1
    wrong = [(name, reason) for name, reason in skipped(report) if ALLOWED not in reason]
    for name, reason in wrong:
        print(f"skipped without leave: {name}: {reason}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))

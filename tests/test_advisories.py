"""No package is old enough to have a known weakness: neither by its floor, nor in the lock."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Advisory:
    package: str
    fixed: Version
    id: str


def advisories() -> list[Advisory]:
    told = tomllib.loads((ROOT / ".ci/advisories.toml").read_text(encoding="utf-8"))
    return [
        Advisory(canonicalize_name(each["package"]), Version(each["fixed"]), each["id"])
        for each in told["advisory"]
    ]


def floors(requirements: Sequence[str]) -> dict[str, Version]:
    """Give the lowest version that each requirement allows; 0 where it says none."""
    found = {}
    for text in requirements:
        requirement = Requirement(text)
        said = [each.version for each in requirement.specifier if each.operator in {">=", "=="}]
        found[canonicalize_name(requirement.name)] = max(map(Version, said), default=Version("0"))
    return found


def locked(text: str) -> dict[str, list[Version]]:
    """Give the versions of each package in a lock, which may be several by Python's version."""
    found: dict[str, list[Version]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([\w.]+)", text, flags=re.MULTILINE):
        found.setdefault(canonicalize_name(name), []).append(Version(version))
    return found


def too_old(known: Sequence[Advisory], versions: Mapping[str, Sequence[Version]]) -> list[str]:
    return [
        f"{each.package} {version} has {each.id}, mended in {each.fixed}"
        for each in known
        for version in versions.get(each.package, ())
        if version < each.fixed
    ]


def project() -> dict[str, list[Version]]:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [text for texts in told["optional-dependencies"].values() for text in texts]
    return {name: [low] for name, low in floors([*told["dependencies"], *extras]).items()}


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-spark.lock"])
def test_no_locked_version_has_a_known_weakness(lock: str) -> None:
    assert too_old(advisories(), locked((ROOT / lock).read_text(encoding="utf-8"))) == []


def test_no_floor_lets_in_a_version_with_a_known_weakness() -> None:
    assert too_old(advisories(), project()) == []


def test_every_advisory_is_of_a_package_that_is_locked() -> None:
    there = locked((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert [each for each in advisories() if each.package not in there] == []


def test_an_advisory_has_a_number_a_reason_and_is_told_once() -> None:
    text = (ROOT / ".ci/advisories.toml").read_text(encoding="utf-8")
    told = tomllib.loads(text)["advisory"]
    assert all(re.fullmatch(r"CVE-\d{4}-\d{4,}", each["id"]) and each["why"] for each in told)
    assert len({(each["package"], each["id"]) for each in told}) == len(told)


@pytest.mark.parametrize(
    ("requirement", "version"), [("starlette>=0.46", "0.46"), ("starlette", "0")]
)
def test_a_floor_that_is_too_low_is_found(requirement: str, version: str) -> None:
    low = {name: [floor] for name, floor in floors([requirement]).items()}
    assert f"starlette {version} has CVE-2026-48710, mended in 1.0.1" in too_old(advisories(), low)


def test_a_locked_version_that_is_too_old_is_found() -> None:
    lock = 'h11==0.14.0 \\\n    --hash=sha256:0\nH11==0.16.0 ; python_version >= "3.12"\n'
    assert too_old(advisories(), locked(lock)) == [
        "h11 0.14.0 has CVE-2025-43859, mended in 0.16.0"
    ]

"""The manual's example is a file that is read, and every key of it is told there."""

import re
from pathlib import Path

from serving.playbooks.read import OF_PLAY, read_playbook

PAGE = Path(__file__).parents[3] / "docs" / "playbooks.md"


def test_the_example_of_the_manual_is_read(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = tmp_path / "playbooks.toml"
    file.write_text(example, encoding="utf-8")
    playbook = read_playbook(file)
    assert playbook.play_for("churn", "price", "high", 120).id == "renew-now"
    assert playbook.play_for("churn", "price", "tech", 120).id == "mail-check-in"
    assert playbook.triggers[0].tell == ("csm", "mail")


def test_the_manual_tells_of_every_key() -> None:
    page = PAGE.read_text(encoding="utf-8")
    table = page[page.index("| key | is |") : page.index("Features of your own form")]
    assert set(re.findall(r"^\| (.*?) \|", table, re.MULTILINE)[2:]) == {
        "`id`, `name`",
        *(f"`{key}`" for key in OF_PLAY[2:]),
    }

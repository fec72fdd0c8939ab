"""What a large training took is said to be within its limits, or not."""

import json
from pathlib import Path

from benchmarks.large_training import Took, folder_of, is_reached, section

TRAIN, BACKTEST = Took("train", 8.0, 12.0, 7.5), Took("backtest", 11.9, 20.0, 6.0)


def test_time_adds_up_and_memory_does_not() -> None:
    assert is_reached([TRAIN, BACKTEST])
    assert not is_reached([TRAIN, Took("backtest", 12.1, 20.0, 6.0)])
    assert not is_reached([TRAIN, Took("backtest", 1.0, 1.0, 8.1)])


def test_the_results_show_what_was_kept(tmp_path: Path) -> None:
    assert "Not measured" in section(tmp_path)
    folder_of(tmp_path).mkdir(parents=True)
    kept = folder_of(tmp_path) / "took.json"
    kept.write_text(json.dumps([vars(TRAIN), vars(BACKTEST)]))
    assert "| in all | 19.9 |  | 7.5 |" in section(tmp_path)
    assert section(tmp_path).rstrip().endswith("\nReached.")

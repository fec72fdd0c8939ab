"""Write docs/results.md: what Tenure reaches on public data, and on a company whose truth is known.

    python -m benchmarks.results [--data ../shared/data] [--out docs/results.md] [--cache DIR]

Run from the project's root. Without the public data only sample companies are measured. Those of
many seeds are kept in the cache (or BENCHMARKS_CACHE), as `benchmarks.seeds` says; what a large
training took is read from there.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import flat, histories, large_training, reasons, sample, seeds
from benchmarks.companies import Kept

ROOT = Path(__file__).resolve().parent.parent

HEAD = """# Results

Written by `make results`, never by hand. Each figure stands beside the floor that the public data's
README gives, and beside that floor computed again on the very rows that Tenure is tested on. A
floor is *reached* when the paired difference (bootstrap over customers, the same draws for both) is
not below 0: the upper end of its 95 % interval is at least 0. Intervals are 95 %; AUC is of ROC.
"""


def main() -> None:
    """Measure every set that is there, and write the page."""
    options = _options()
    started = time.monotonic()
    parts = [HEAD]
    with tempfile.TemporaryDirectory(prefix="tenure-results-") as aside:
        if options.data.is_dir():
            parts += [histories.section(options.data, Path(aside), _say)]
            parts += [flat.section(options.data, _say)]
        else:
            parts += [
                f"The public data is missing ({options.data.name}), so its figures are too.\n"
            ]
        parts += [sample.section(Path(aside), _say, options.accounts)]
        kept = Kept(options.cache / "companies", options.accounts)
        parts += [seeds.section(kept, seeds.SEEDS, _say)]
        parts += [reasons.section(options.cache / "reasons", options.accounts, seeds.SEEDS, _say)]
    parts += [large_training.section(options.cache)]
    options.out.write_text("\n".join(parts), encoding="utf-8")
    _say(f"wrote {options.out} in {time.monotonic() - started:.0f} s")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("TENURE_PUBLIC_DATA", ROOT.parent / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(usual), help="folder of the public sets")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "results.md")
    parser.add_argument("--accounts", type=int, default=2000, help="size of a sample company")
    cache = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(cache), help="of many sample companies")
    return parser.parse_args()


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()

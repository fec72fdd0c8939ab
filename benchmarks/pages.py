"""Measure how long the work list takes a browser, and write docs/pages-cost.md.

    python -m benchmarks.pages [--cache DIR] [--repeat 21] [--accounts 20000]

Run from the project's root. A sample company, its models and a publication of many accounts are
made once, in the cache (or BENCHMARKS_CACHE): take an empty one after a change.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
import numpy as np
import sqlalchemy as sa

from benchmarks.figures import table
from benchmarks.published import made
from benchmarks.servers import Server, free_port, running
from features.home import Home
from serving.access.users import Place, add_user, user_of
from serving.api.feedback import Feedback, record
from serving.pages.paths import LIST_CSV, LIST_XLSX, OPERATIONS, PORTFOLIO, account_address
from serving.parts import utc_now
from serving.store import tables
from serving.store.database import Store, open_store
from serving.store.view import SORTS, TABS, View

PAGE = Path(__file__).resolve().parent.parent / "docs" / "pages-cost.md"
PASSWORD = "only of a benchmark's own home"  # noqa: S105 - it opens nothing else
ALL, ONE = "reads-all@example.com", "reads-one@example.com"
TOLD, TOLD_KINDS = 2_000, ("contacted", "play_done", "will_renew", "other")
"""So much feedback lies in the store, of different accounts."""
MOST_MS, MOST_KB = 100, 200
"""To reach at the median, and by every page."""
WARM = 2

HEAD = """# What the work list costs

Written by `make pages-cost`, never by hand. {accounts:,} accounts lie in a store of SQLite, drawn
from those of a sample company, with {told:,} records of feedback. One worker of `tenure serve`
answers a browser that has logged in and asks for one page after another, {repeat} times each after
{warm} that do not count. A time is from sending the request to the whole answer, with the session,
the audit log and the page made; CPU is user and system time of the server's processes. The views
are of somebody who sees all accounts; the last ones of a CSM with a book. To reach: {ms} ms at the
median and {kb} kB, on 2 cores. The load of the machine's {cores} cores, others' work included, was
{before:.1f} before the run and {after:.1f} after it: above {cores}, times are those of waiting too.
"""


@dataclass(frozen=True)
class Cost:
    """What one view costs: milliseconds of each answer, CPU of one, the largest one's bytes."""

    ms: list[float]
    cpu_ms: float
    size: int

    def cells(self) -> list[str]:
        """Write it as cells of a table."""
        slow = float(np.quantile(self.ms, 0.95))
        reached = median(self.ms) <= MOST_MS and self.size <= MOST_KB * 1000
        times = [f"{ms:.0f}" for ms in (median(self.ms), slow, self.cpu_ms)]
        return [*times, f"{self.size / 1000:.0f}", "yes" if reached else "**no**"]


def views(store: Store) -> dict[str, View]:
    """Give every tab, filter, sort and a search, each by what a reader calls it."""
    commonest = {name: _commonest(store, name) for name in ("csm", "tier", "segment", "region")}
    commonest["family"] = _commonest(store, "family")
    filters = {name: View(tab="all", **{name: value}) for name, value in commonest.items() if value}
    filters["product"] = View(tab="all", product=_product(store))
    filters |= {"state": View(tab="all", state="contacted"), "new": View(tab="all", state="new")}
    filters["not on the list"] = View(tab="all", why_not="below_capacity")
    filters |= {"renewal": View(tab="all", renews=90), "notice": View(tab="all", notice=90)}
    return {
        "first page": View(),
        **{f"tab: {tab}": View(tab=tab) for tab in TABS},
        **{f"filter: {name}": view for name, view in filters.items()},
        **{f"sort: {name}": View(tab="all", sort=name) for name in SORTS},
        "search: a part of a name": View(tab="all", q=_commonest(store, "name")[:3]),
        "search: nothing is found": View(tab="all", q="nobody is called that"),
        "page 300 of all": View(tab="all", page=300),
        "filters, a sort and a search": View(
            tab="all", tier=commonest["tier"], q="a", sort="arr", state="new"
        ),
    }


def _commonest(store: Store, name: str) -> str:
    column = tables.listed_accounts.c[name]
    query = sa.select(column).where(column.is_not(None)).group_by(column)
    with store.reading() as connection:
        return str(connection.execute(query.order_by(sa.func.count().desc())).scalar() or "")


def _product(store: Store) -> str:
    with store.reading() as connection:
        return str(connection.execute(sa.select(tables.listed_products.c.product)).scalar())


def prepare(home: Home) -> dict[str, View]:
    """Make who logs in and what they said, once, and give the views."""
    store = open_store(f"sqlite:///{home.store}")
    try:
        csm = _commonest(store, "csm")
        if user_of(store, ALL) is None:
            now = utc_now()
            add_user(store, ALL, "All", Place("admin"), now, PASSWORD)
            add_user(store, ONE, "One", Place("csm", book=csm), now, PASSWORD)
            for number in range(TOLD):
                kind = TOLD_KINDS[number % len(TOLD_KINDS)]
                told = Feedback(f"account-{number * 7:06d}", kind, None, f"benchmark {number}")
                record(store, told, "benchmark", now)
        return views(store)
    finally:
        store.close()


def _longest(home: Home) -> str:
    """Give the address of the account of which most is kept for its page."""
    pages, store = tables.account_pages, open_store(f"sqlite:///{home.store}")
    query = sa.select(pages.c.account_id).order_by(sa.func.length(pages.c.told).desc())
    with closing(store), store.reading() as connection:
        return account_address(str(connection.execute(query).scalar()))


def measure(home: Home, repeat: int) -> dict[str, Cost]:
    """Ask a running service for every view."""
    asked, longest = prepare(home), _longest(home)
    port = free_port()
    environment = {
        "TENURE_HOME": str(home.root),
        "TENURE_REQUESTS_PER_SECOND": "1e6",
        "TENURE_REQUESTS_AT_ONCE": "1000000",
        "BENTOML_DO_NOT_TRACK": "True",
    }
    command = [sys.executable, "-m", "tenure", "serve", "--port", str(port)]
    found = {}
    with running(command, port, "/readyz", environment) as server:
        url = f"http://127.0.0.1:{port}"
        with closing(logged_in(url, ALL)) as browser:
            for name, view in asked.items():
                found[name] = cost(server, browser, f"/?{view.query(page=view.page)}", repeat)
            found["an account's page, the longest"] = cost(server, browser, longest, repeat)
            for path in (PORTFOLIO, OPERATIONS):
                found[path] = cost(server, browser, path, repeat)
            of_tab = View(tab="all").query()
            for path in (LIST_CSV, LIST_XLSX):
                found[f"all accounts as {path}"] = cost(
                    server, browser, f"{path}?{of_tab}", 1, warm=0
                )
        with closing(logged_in(url, ONE)) as browser:
            for name in ("first page", "tab: all", "search: a part of a name"):
                query = asked[name].query()
                found[f"a book's {name}"] = cost(server, browser, f"/?{query}", repeat)
            found["a book's /portfolio"] = cost(server, browser, PORTFOLIO, repeat)
    return found


def logged_in(url: str, login: str) -> httpx.Client:
    """Give a browser in which somebody has logged in."""
    browser = httpx.Client(base_url=url, timeout=60, headers={"accept": "text/html"})
    mark = re.search(r'name="mark" value="([^"]+)"', browser.get("/login").text)
    form = {"login": login, "password": PASSWORD, "mark": mark[1] if mark else ""}
    answer = browser.post("/login", data=form)
    if answer.status_code != httpx.codes.SEE_OTHER:
        raise SystemExit(f"Expected to log in as {login}, got status {answer.status_code}.")
    return browser


def cost(server: Server, browser: httpx.Client, path: str, repeat: int, warm: int = WARM) -> Cost:
    """Ask for one page again and again."""
    for _ in range(warm):
        timed(browser, path)
    before = server.cpu_s()
    asked = [timed(browser, path) for _ in range(repeat)]
    cpu_ms = (server.cpu_s() - before) / repeat * 1000
    return Cost([ms for ms, _ in asked], cpu_ms, max(size for _, size in asked))


def timed(browser: httpx.Client, path: str) -> tuple[float, int]:
    """Ask for a page, and give the milliseconds and the bytes of its answer."""
    start = time.perf_counter()
    answer = browser.get(path)
    ms = (time.perf_counter() - start) * 1000
    if answer.status_code != httpx.codes.OK:
        raise SystemExit(f"Expected {path} to be answered, got {answer.status_code}.")
    return ms, len(answer.content)


def page(costs: Mapping[str, Cost], counts: Mapping[str, float]) -> str:
    """Write the page."""
    head = HEAD.format(**counts, told=TOLD, warm=WARM, ms=MOST_MS, kb=MOST_KB)
    rows = [[name, *each.cells()] for name, each in costs.items() if "all accounts as" not in name]
    files = [
        [name.partition(" as ")[2], f"{each.ms[0] / 1000:.1f}", f"{each.size / 1e6:.1f}"]
        for name, each in costs.items()
        if "all accounts as" in name
    ]
    return "\n".join(
        [
            head,
            table(["view", "median ms", "95 of 100 within ms", "CPU ms", "kB", "reached"], rows),
            "\nAll accounts as a file, once:\n",
            table(["file", "seconds", "MB"], files),
            "",
        ]
    )


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    usual = os.environ.get("BENCHMARKS_CACHE", Path.home() / ".cache" / "tenure-benchmarks")
    parser.add_argument("--cache", type=Path, default=Path(usual))
    parser.add_argument("--repeat", type=int, default=21)
    parser.add_argument("--accounts", type=int, default=20_000)
    options = parser.parse_args()
    home, _ = made(options.cache / "pages" / str(options.accounts), options.accounts)
    before = os.getloadavg()[0]
    costs = measure(home, options.repeat)
    counts = {
        "accounts": options.accounts,
        "repeat": options.repeat,
        "cores": os.cpu_count() or 1,
        "before": before,
        "after": os.getloadavg()[0],
    }
    text = page(costs, counts)
    print(text)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

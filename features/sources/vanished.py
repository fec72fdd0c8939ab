"""What earlier checks of a source read and this one did not find: a failed upload, most likely.

A checked source is a function of its content alone, so this is no part of it: it is told beside.
"""

from collections.abc import Iterator

from features.checked import MANIFEST, CheckedSource, Finding, manifest_of, read_manifest
from features.errors import SourceError
from features.home import Home
from features.sources.workplace import checks_of

LOOKS_LIKE = "Its absence looks like loss of use: upload it again, unless it was taken away."


def vanished(source: CheckedSource, home: Home) -> tuple[Finding, ...]:
    """Give a warning for each table, and each part of a log, that an earlier check had read.

    Parameters
    ----------
    source
        What `features.sources.check.check` gave just now.
    home
        Where the earlier checks of the same source are kept: the last three, and those of the last
        24 hours.

    Returns
    -------
    tuple of Finding
        None at a source's first check. A part of the same content under another name is there.
    """
    found: dict[tuple[str, str], Finding] = {}
    for before in _earlier(source, home):
        for finding in (*_tables(before, source), *_parts(before, source)):
            found.setdefault((finding.table, finding.message), finding)
    return tuple(found.values())


def _earlier(source: CheckedSource, home: Home) -> Iterator[CheckedSource]:
    of_copies = sorted(home.checked.glob(f"*/{manifest_of(source.origin)}"))
    own = [folder / MANIFEST for folder in checks_of(source.origin, home)]
    for manifest in (*own, *of_copies):
        if manifest.parent.name != source.folder.name:
            try:
                yield read_manifest(manifest.parent, manifest.name)
            except SourceError:
                continue  # removed just now: superseded, and so are its parts


def _tables(before: CheckedSource, source: CheckedSource) -> Iterator[Finding]:
    for table, counts in before.counts.items():
        if counts.read and not source.has(table):
            message = (
                f"Expected the table {table}, of which an earlier check read {counts.read:,} rows, "
                f"got none. {LOOKS_LIKE}"
            )
            yield Finding("warning", table, "", message, counts.read)


def _parts(before: CheckedSource, source: CheckedSource) -> Iterator[Finding]:
    for table, ledger in before.ledgers.items():
        there = source.ledgers[table].sources if table in source.ledgers else ()
        known = {part.name for part in there} | {part.sha256 for part in there}
        for part in ledger.sources if there else ():
            if part.rows and not {part.name, part.sha256} & known:
                message = (
                    f"Expected the part {part.name} of {table}, of which an earlier check read "
                    f"{part.rows:,} rows, got none. {LOOKS_LIKE}"
                )
                yield Finding("warning", table, "", message, part.rows)

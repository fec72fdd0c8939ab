"""The days of use of a log's part, written beside it: all that some features need of it."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

_SUFFIX = ".days"


def roll_up(part: Path, out: Path, time: str = "occurred_at") -> None:
    """Write one row for each account and day of a part, known with the day's first row.

    Parameters
    ----------
    part
        A part of a checked log.
    out
        Gets account_id, the time (midnight of the day) and known_at (the earliest), sorted. Equal
        rows give equal bytes, in any order.
    time
        The column of the time at which a row happens.
    """
    columns = ["account_id", time, "known_at"]
    with pq.ParquetFile(part) as file:
        # a group of rows at a time: one account may fill a week with millions of events
        groups = [
            _days(file.read_row_group(number, columns=columns, use_threads=False), time)
            for number in range(file.num_row_groups)
        ]
        nothing = file.schema_arrow.empty_table().select(columns)
    days = _days(pa.concat_tables([nothing, *groups]), time)
    days = days.sort_by([("account_id", "ascending"), (time, "ascending")]).combine_chunks()
    out.parent.mkdir(exist_ok=True)
    pq.write_table(days, out)


def _days(rows: pa.Table, time: str) -> pa.Table:
    place = rows.schema.get_field_index(time)
    rows = rows.set_column(place, time, pc.floor_temporal(rows[time], unit="day"))
    days = rows.group_by(["account_id", time], use_threads=False).aggregate([("known_at", "min")])
    return days.rename_columns({"known_at_min": "known_at"}).select(rows.column_names)


def rollup_of(part: Path) -> Path:
    """Name the file with the days of a part, whether or not it is there."""
    folder = part.parent
    return folder.with_name(folder.name + _SUFFIX) / part.name

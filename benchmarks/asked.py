"""What every form of the benchmark gives, and gets.

Each form takes the folder of the log, the accounts and the snapshots, and gives one row for each
account and snapshot: windowed counts and distinct users, distinct event types, days since the last
event (null: none), relative change of the last 28 days against the 28 before (null: nothing
before), and the last 28 days' count of each event type. Windows are [as_of - days, as_of).
"""

from collections.abc import Sequence
from datetime import datetime

from benchmarks.usage import EVENTS

THREADS = 2
WINDOWS = (7, 28, 90)
LONGEST = max(WINDOWS)
KEY = ("account_id", "as_of")
COUNTS = (
    *(f"events_{days}d" for days in WINDOWS),
    *(f"users_{days}d" for days in WINDOWS),
    "event_types_90d",
    *(f"{event}_28d" for event in EVENTS),
)
COLUMNS = (*COUNTS, "days_since_last_event", "trend")

Accounts = Sequence[str]
AsOfs = Sequence[datetime]

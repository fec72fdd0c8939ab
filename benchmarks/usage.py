"""The company whose log is drawn: its size, its dates, its kinds of event."""

from datetime import date, datetime

SEED = 20_240_101
ACCOUNTS = 20_000
DAYS = 730
FIRST_DAY = date(2023, 1, 2)
AS_OFS = tuple(date(2024 + month // 12, month % 12 + 1, 1) for month in range(1, 13))
"""Twelve month ends: the snapshots stand at the first of the next month."""
EVENTS = (
    "page_viewed",
    "record_opened",
    "record_saved",
    "search_run",
    "login",
    "comment_added",
    "file_uploaded",
    "report_opened",
    "filter_changed",
    "export_run",
    "task_closed",
    "dashboard_opened",
    "import_run",
    "api_called",
    "invite_sent",
    "automation_run",
    "integration_synced",
    "settings_changed",
    "template_used",
    "webhook_fired",
)


def account_names() -> list[str]:
    """Give the accounts' ids."""
    return [f"acc_{number:05d}" for number in range(ACCOUNTS)]


def as_of_times() -> list[datetime]:
    """Give the snapshots as times."""
    return [datetime(day.year, day.month, day.day) for day in AS_OFS]  # noqa: DTZ001 - naive UTC, as everywhere

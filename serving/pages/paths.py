"""The addresses of the pages, and to which of them a login may lead back."""

import re
from urllib.parse import quote, urlencode, urlsplit

WORK_LIST = "/"
LOGIN = "/login"
LOGIN_ELSEWHERE = "/login/oidc"
LOGIN_BACK = "/login/oidc/back"
LOGOUT = "/logout"
LIST_CSV, LIST_XLSX = "/list.csv", "/list.xlsx"
PORTFOLIO = "/portfolio"
ACCOUNTS = "/accounts/"
OPERATIONS = "/operations"
DISAGREEMENTS = "/disagreements"
TELL, UNDO = "/feedback", "/feedback/undo"
STYLE, SCRIPT = "/login.css", "/tenure.js"
# What a session opens, and nothing else does: single addresses, and all that begin with one.
PAGES = frozenset(
    {WORK_LIST, LIST_CSV, LIST_XLSX, LOGOUT, PORTFOLIO, OPERATIONS, TELL, UNDO, DISAGREEMENTS}
)
FOLDERS: tuple[str, ...] = (ACCOUNTS,)
ID = "id"  # names an account whose id cannot stand in a path
DOTS = frozenset({".", ".."})  # a client shortens a path that has one of them, escaped or not
# What is sent to one of these without a session is not lost: the login carries it on.
TYPED = frozenset({TELL, DISAGREEMENTS})
NO_VIEWS = frozenset({LOGOUT, TELL, UNDO})
OPEN_PAGES = frozenset({LOGIN, LOGIN_ELSEWHERE, LOGIN_BACK, STYLE, SCRIPT})
LOCAL = re.compile(r"/(?![/\\])[!-\[\]-~]{0,1999}")  # on this host, and without a backslash


def is_page(path: str) -> bool:
    """Tell whether an address is opened by a session."""
    return path in PAGES or path.startswith(FOLDERS)


def account_address(account_id: str) -> str:
    """Give the address of an account's page; its id may be any text."""
    if account_id in DOTS:
        return f"{ACCOUNTS}?{urlencode({ID: account_id})}"
    return f"{ACCOUNTS}{quote(account_id, safe='')}"


def page_before(referer: str) -> str:
    """Give the page that a form stood on, by the header ``Referer``; the list where none is told.

    Our own pages tell it to us, and to nobody else.
    """
    try:
        came_from = urlsplit(referer)
    except ValueError:
        return WORK_LIST
    return safe_next(came_from.path + (f"?{came_from.query}" if came_from.query else ""))


def safe_next(wanted: str) -> str:
    """Give the page to show after a login: the one that was wanted, if it is one of ours."""
    path = urlsplit(wanted).path if LOCAL.fullmatch(wanted) else ""
    return wanted if is_page(path) and path not in NO_VIEWS else WORK_LIST

"""Why a request is not answered: one shape for each, and never a trace."""

from http import HTTPStatus

import msgspec

from features.errors import TenureError


class Detail(msgspec.Struct, frozen=True):
    """What is wrong with one field of a request."""

    field: str
    problem: str


class RefusedError(TenureError):
    """A request that is answered with an error.

    Parameters
    ----------
    status:
        HTTP status.
    code:
        Stable name of the error, for programs.
    message:
        A sentence for people, without anything that the request carried.
    """

    def __init__(
        self, status: HTTPStatus, code: str, message: str, details: tuple[Detail, ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.details = details


def invalid(field: str, problem: str) -> RefusedError:
    """Refuse a request for the value of one field."""
    return RefusedError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "The request has a field that cannot be used.",
        (Detail(field, problem),),
    )


def not_found() -> RefusedError:
    """Refuse in the same words whether there is nothing there or it may not be seen."""
    return RefusedError(HTTPStatus.NOT_FOUND, "not_found", "There is nothing under this address.")


def no_account() -> RefusedError:
    """Refuse a body that names an account which the publication in service does not hold."""
    return RefusedError(
        HTTPStatus.NOT_FOUND,
        "not_found",
        "There is no such account.",
        (Detail("account_id", "expected an account of the latest scores"),),
    )

"""Passwords: hashed slowly with argon2id, so that a stolen hash is dear to guess."""

import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from features.errors import AccessError

FEWEST = 12
MOST = 200
FEWEST_DIFFERENT = 5
RANDOM_BYTES = 15
HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=2)  # 64 MiB for each
# Of the same cost as any other, and of no password that is known.
NOBODYS = f"$argon2id$v=19$m=65536,t=3,p=2${'A' * 22}${'A' * 43}"


def new_password() -> str:
    """Make a password of 120 random bits."""
    return secrets.token_urlsafe(RANDOM_BYTES)


def hashed(password: str) -> str:
    """Hash a password to be kept.

    Raises
    ------
    AccessError
        If it is too short, too long or of too few different characters.
    """
    if not FEWEST <= len(password) <= MOST or len(set(password)) < FEWEST_DIFFERENT:
        raise AccessError(
            f"Expected a password of {FEWEST} to {MOST} characters, {FEWEST_DIFFERENT} of them "
            "different, got another one. Choose a longer one, or let one be made."
        )
    return HASHER.hash(password)


def fits(kept: str | None, given: str) -> bool:
    """Tell whether a password is the one of a hash; as slow where there is no hash."""
    try:
        HASHER.verify(kept or NOBODYS, given)
    except (VerificationError, InvalidHashError):
        return False
    return kept is not None

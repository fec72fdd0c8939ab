"""Which product an account is likeliest to take up next: counts of what those like it took up.

Accounts are alike when they pay for the same products. Where few of those have bought, the counts
are drawn to what all customers bought. It is asked of an account that takes up a further product;
whether it does, or adds seats to what it has, is the question of expansion.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

Held = tuple[str, ...]
Counts = Mapping[str, int]

COUNTS_AS = 5
"""So many purchases of customers alike what all customers bought counts as."""


@dataclass(frozen=True)
class Guess:
    """One product that an account may take up next.

    Attributes
    ----------
    product
        Its name.
    share
        How likely it is the next one (0 to 1), if the account takes up any that is known.
    text
        Why, in a sentence with the counts behind it.
    """

    product: str
    share: float
    text: str


@dataclass(frozen=True)
class NextProducts:
    """Purchases of a further product, counted by what the customers had before.

    Attributes
    ----------
    products
        All that were seen, paid for or bought, in order of their names.
    bought
        How often each was taken up next by a customer that had others.
    after
        The same by the products that the customer paid for just before.
    """

    products: tuple[str, ...]
    bought: Counts
    after: Mapping[Held, Counts]

    def ranked(self, held: Iterable[str]) -> tuple[Guess, ...]:
        """Give the products that an account has not, likeliest first.

        Parameters
        ----------
        held
            The products that it pays for; others than `products` count for nothing.

        Returns
        -------
        Empty where no customer has taken up any product that the account has not.
        """
        has = self.known(held)
        everybody = {name: count for name, count in self.bought.items() if name not in has}
        total = sum(everybody.values())
        if not total:
            return ()
        alike = self.after.get(has, {})
        of = sum(alike.values())
        shares = {
            name: (alike.get(name, 0) + COUNTS_AS * count / total) / (of + COUNTS_AS)
            for name, count in everybody.items()
        }
        order = sorted(shares, key=lambda name: (-shares[name], name))
        return tuple(
            Guess(name, shares[name], _text(name, has, alike, everybody)) for name in order
        )

    def popular(self, held: Iterable[str]) -> tuple[str, ...]:
        """Give the products that an account has not, the most often bought first."""
        has = self.known(held)
        order = sorted(self.bought, key=lambda name: (-self.bought[name], name))
        return tuple(name for name in order if name not in has and self.bought[name])

    def known(self, held: Iterable[str]) -> Held:
        """Give what an account has, of the products that are known, in order of their names."""
        return tuple(sorted(set(held) & set(self.products)))

    def to_json(self) -> dict[str, Any]:
        """Give the fields as JSON values."""
        return {
            "products": list(self.products),
            "bought": dict(self.bought),
            "after": [
                {"held": list(held), "bought": dict(counts)} for held, counts in self.after.items()
            ],
        }


def next_products_from_json(fields: Mapping[str, Any] | None) -> NextProducts | None:
    """Rebuild it from the JSON object of its fields; None where there was none."""
    if fields is None:
        return None
    after = {tuple(each["held"]): MappingProxyType(each["bought"]) for each in fields["after"]}
    return NextProducts(
        tuple(fields["products"]), MappingProxyType(fields["bought"]), MappingProxyType(after)
    )


def _text(name: str, held: Held, alike: Counts, everybody: Counts) -> str:
    of, total = sum(alike.values()), sum(everybody.values())
    having = f"customers with {' and '.join(held)}" if held else "customers with no known product"
    if of:
        return f"Of {_purchases(of)} by {having}, {alike.get(name, 0):,} of {name}"
    others = f"of {_purchases(total)} by others, {everybody[name]:,} of {name}"
    return f"None of the {having} has bought another product yet; {others}"


def _purchases(count: int) -> str:
    return f"{count:,} purchase{'' if count == 1 else 's'}"

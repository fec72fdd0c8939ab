"""What a source's own names speak of: actions, categories and the like have no fixed list."""

import narwhals as nw

BUYING = (r"plans?($|[^a-z])", "pricing", "upgrad", "upsell", "add.?on", "quote")
PRICE_CHANGES = (r"price.?(notice|change|rise|increase)",)
LEAVING = ("cancel", "downgrad", "offboard", r"clos(e|ing).?account")
BILLING = ("billing", "invoic", "payment", "price", "pricing", "contract", "renewal")
DEFECTS = ("bug", "defect", "error", "fault", "problem", "outage", "incident")
QUESTIONS = ("how", "question", "training", "onboarding")
WISHES = ("request", "feature", "idea", "wish")


def speaks_of(column: str, words: tuple[str, ...]) -> nw.Expr:
    """Tell whether a name holds a word that begins so, in whatever case; null where there is none.

    Parameters
    ----------
    column
        Text such as ``plans_viewed``; what is no letter of a to z parts words.
    words
        Beginnings of words in lower case, as regular expressions that every engine reads alike
        (no looking around).
    """
    return nw.col(column).str.to_lowercase().str.contains(f"(^|[^a-z])({'|'.join(words)})")

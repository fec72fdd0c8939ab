"""What the leakage audit says: checks, findings, and who has taken a finding on."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from features.errors import GateError, TenureError
from models.audit_checks import CHECKS

Kind = Literal[
    "decides the outcome",
    "filled after the end",
    "names a row",
    "constant",
    "changes with later rows",
    "label window",
    "tells now from then",
    "not computed",
]
Standing = Literal["open", "accepted", "left out"]

_SHOWN = 8


@dataclass(frozen=True)
class Finding:
    """One thing that the audit names.

    Attributes
    ----------
    kind
        What is wrong with it.
    column
        Its name in the table; of a finding on rows, or of a check that could not be computed, the
        name of the check.
    message
        One sentence with the figures behind it.
    blocking
        Whether a promotion stops at it until somebody takes it on by name.
    standing
        Whether somebody did (``accepted``), or the model does without the column (``left out``).
    """

    kind: Kind
    column: str
    message: str
    blocking: bool
    standing: Standing = "open"

    @property
    def stops(self) -> bool:
        """Whether a promotion stops here."""
        return self.blocking and self.standing == "open"


def not_computed(check: str, why: str) -> Finding:
    """Give the finding of a check that could not be computed: unknown is not clean."""
    return Finding("not computed", check, f"{check} could not be computed: {why}", blocking=True)


@dataclass(frozen=True)
class Audited:
    """What an audit looked at, and what it found.

    Attributes
    ----------
    model
        The question's name.
    checks
        By name of `CHECKS`: in a sentence, what was looked at.
    findings
        Blocking ones first.
    """

    model: str
    checks: Mapping[str, str] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()

    @property
    def stopping(self) -> tuple[Finding, ...]:
        """The findings at which a promotion stops."""
        return tuple(finding for finding in self.findings if finding.stops)

    def accepting(
        self, names: Iterable[str], known: Iterable[str], left_out: Iterable[str] = ()
    ) -> "Audited":
        """Mark the findings that somebody takes on by name, and those of columns left out.

        Parameters
        ----------
        names
            Columns or checks; one that has no finding today is no fault.
        known
            All columns there are: a name that is none of them, and no check, is a slip.

        Raises
        ------
        TenureError
            When a name is neither a column nor a check.
        """
        demand_known(names, known)
        taken, without = frozenset(names), frozenset(left_out)

        def mark(finding: Finding) -> Finding:
            if not finding.blocking:
                return finding
            if finding.column in taken:
                return replace(finding, standing="accepted")
            return replace(finding, standing="left out") if finding.column in without else finding

        return replace(self, findings=tuple(map(mark, self.findings)))

    def findings_json(self) -> tuple[dict[str, Any], ...]:
        """Give the findings as JSON values."""
        return tuple(asdict(finding) for finding in self.findings)

    def to_json(self) -> dict[str, Any]:
        """Give all of it as JSON values."""
        return {
            "model": self.model,
            "passed": not self.stopping,
            "checks": dict(self.checks),
            "audit": list(self.findings_json()),
        }

    def text(self) -> str:
        """Give a line for each check, then one for each finding."""
        lines = [f"{name}: {said}" for name, said in self.checks.items()]
        for finding in self.findings:
            standing = "STOPS" if finding.stops else finding.standing
            how = standing if finding.blocking else "note"
            lines.append(f"  {how}  {finding.message}")
        stopping = len(self.stopping)
        few = f"{stopping} of {len(self.findings)} findings" if stopping else "No finding"
        return "\n".join([*lines, f"{few} would stop a promotion of {self.model}."])

    def demand(self) -> None:
        """Raise GateError where a promotion would stop."""
        if self.stopping:
            names = list(dict.fromkeys(finding.column for finding in self.stopping))
            more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
            accept = " ".join(f"--accept {name}" for name in names[:_SHOWN])
            raise GateError(
                f"Expected no finding that stops a promotion of {self.model}, got "
                f"{len(self.stopping)}, on {', '.join(names[:_SHOWN])}{more}. Correct the source "
                f"or the feature, or take each on by name: {accept}"
            )


def demand_known(names: Iterable[str], known: Iterable[str]) -> None:
    """Refuse a name to accept that is neither a column nor a check.

    Raises
    ------
    TenureError
        Naming it.
    """
    strange = sorted(set(names) - {*known, *CHECKS})
    if strange:
        raise TenureError(
            f"Expected columns, or checks ({', '.join(CHECKS)}), to accept, got "
            f"{', '.join(strange)}. Name what a finding names; tenure audit shows them."
        )

"""What a promotion gate answers: the value that the registry demands and training computes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from features.errors import GateError


@dataclass(frozen=True)
class Gate:
    """One gate's answer.

    Attributes
    ----------
    name:
        What was asked, for example ``log_loss``.
    passed:
        False too when the gate could not be computed.
    figures:
        The numbers behind the answer, by name.
    sentence:
        The answer in plain words.
    """

    name: str
    passed: bool
    sentence: str
    figures: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class GateReport:
    """All gates of one challenger, on one period.

    Attributes
    ----------
    model:
        ``churn``, ``expansion`` or ``contraction``.
    challenger:
        The challenger's bundle version.
    champion:
        The champion's bundle version, None when there is none yet.
    gates:
        One answer each; a report without gates has not passed.
    """

    model: str
    challenger: str
    champion: str | None
    gates: tuple[Gate, ...]

    @property
    def passed(self) -> bool:
        """Whether every gate passed, and there was one."""
        return bool(self.gates) and all(gate.passed is True for gate in self.gates)

    def to_json(self) -> dict[str, object]:
        """Give the report as JSON values."""
        return {
            "model": self.model,
            "challenger": self.challenger,
            "champion": self.champion,
            "passed": self.passed,
            "gates": [
                {
                    "name": gate.name,
                    "passed": gate.passed,
                    "sentence": gate.sentence,
                    "figures": dict(gate.figures),
                }
                for gate in self.gates
            ],
        }

    def text(self) -> str:
        """Give the report as lines for a terminal, one a gate and the verdict last."""
        lines = [
            f"{'pass' if gate.passed else 'FAIL'}  {gate.name}: {gate.sentence}"
            for gate in self.gates
        ]
        rival = "the plain baselines" if self.champion is None else f"champion {self.champion}"
        verdict = "may be promoted" if self.passed else "stays challenger"
        return "\n".join([*lines, f"{self.model} {self.challenger} against {rival}: {verdict}."])

    def demand(self) -> None:
        """Let a passed report through.

        Raises
        ------
        GateError
            Naming each gate that did not pass.
        """
        if self.passed:
            return
        refused = [gate for gate in self.gates if not gate.passed]
        failed = "; ".join(f"{gate.name}: {gate.sentence.rstrip('.')}" for gate in refused)
        cure = "Train again." if self.champion is None else "Train again, or keep the champion."
        raise GateError(
            f"Expected {self.model} {self.challenger} to pass its gates, got: "
            f"{failed or 'no gate was computed'}. {cure}"
        )

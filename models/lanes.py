"""Eight numbers at once in compiled loops, where Numba's compiler takes them one by one.

Compiled code reads lanes from a row of eight float64, adds, subtracts, multiplies and divides them
by lane, also with one number for all, and writes them to a row. On a processor without registers of
that width the same is done in smaller portions: the result is the same to the bit.

Numba keeps compiled code by the file of the loop alone: after a change here, or to a constant that
a loop takes from elsewhere, save that file anew.
"""

import operator
from collections.abc import Callable
from types import MappingProxyType
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic, models, overload, register_model

from models.forest import LANES

_VECTOR = ir.VectorType(ir.DoubleType(), LANES)
_NOTHING = ir.Constant(_VECTOR, ir.Undefined)
_FIRST = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
_BYTES = 8
"""What a row of float64 is aligned to."""
_STEPS = MappingProxyType(
    {operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv"}
)


class Lanes(types.Type):
    """Numba's type of a value of eight lanes."""


_LANES = Lanes("Lanes")


@register_model(Lanes)
class _LanesModel(models.PrimitiveModel):  # type: ignore[misc] # Numba is untyped
    """How the compiler holds it."""

    def __init__(self, manager: Any, lanes: Any) -> None:  # noqa: ANN401 - Numba is untyped
        super().__init__(manager, lanes, _VECTOR)


@intrinsic  # type: ignore[untyped-decorator] # Numba is untyped
def read(_context: Any, _rows: Any, _row: Any) -> Any:  # noqa: ANN401 - Numba is untyped
    """Read row `row` of a C-contiguous array of float64, shape (rows, 8)."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ANN401 - as above
        return builder.load(_place(context, builder, signature, given), align=_BYTES)

    return _LANES(_rows, types.intp), generate


@intrinsic  # type: ignore[untyped-decorator] # Numba is untyped
def write(_context: Any, _rows: Any, _row: Any, _lanes: Any) -> Any:  # noqa: ANN401 - Numba is untyped
    """Write lanes to row `row` of such an array."""

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ANN401 - as above
        builder.store(given[2], _place(context, builder, signature, given), align=_BYTES)
        return context.get_dummy_value()

    return types.void(_rows, types.intp, _LANES), generate


def _place(context: Any, builder: Any, signature: Any, given: Any) -> Any:  # noqa: ANN401 - Numba is untyped
    data = context.make_array(signature.args[0])(context, builder, given[0]).data
    return builder.gep(builder.bitcast(data, _VECTOR.as_pointer()), [given[1]])


@intrinsic  # type: ignore[untyped-decorator] # Numba is untyped
def spread(_context: Any, _number: Any) -> Any:  # noqa: ANN401 - Numba is untyped
    """Give lanes that all hold one number."""

    def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:  # noqa: ANN401 - as above
        first = builder.insert_element(_NOTHING, given[0], ir.Constant(ir.IntType(32), 0))
        return builder.shuffle_vector(first, _NOTHING, _FIRST)

    return _LANES(types.float64), generate


def _step(name: str) -> Any:  # noqa: ANN401 - Numba is untyped
    @intrinsic  # type: ignore[untyped-decorator] # Numba is untyped
    def step(_context: Any, _one: Any, _other: Any) -> Any:  # noqa: ANN401 - Numba is untyped
        def generate(_context: Any, builder: Any, _signature: Any, given: Any) -> Any:  # noqa: ANN401 - as above
            return getattr(builder, name)(*given)

        return _LANES(_LANES, _LANES), generate

    return step


def _declared(sign: Callable[..., Any], name: str) -> None:
    step = _step(name)

    @overload(sign, strict=False)  # type: ignore[untyped-decorator] # Numba is untyped
    def of_lanes(one: Any, other: Any) -> Any:  # noqa: ANN401 - Numba is untyped
        if one == _LANES and other == _LANES:
            return lambda one, other: step(one, other)  # noqa: PLW0108 - Numba compares arguments
        if one == _LANES and other == types.float64:
            return lambda one, other: step(one, spread(other))
        if one == types.float64 and other == _LANES:
            return lambda one, other: step(spread(one), other)
        return None


for _sign, _name in _STEPS.items():
    _declared(_sign, _name)

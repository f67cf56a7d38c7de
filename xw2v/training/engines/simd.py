"""Vectors of LANES float32 numbers for loops that Numba compiles: 16 where the processor has AVX-512, else 8.

LLVM turns them into whatever the processor has: one register, several, or scalars. Spelling the vectors out keeps
sums of many rows in registers, which no loop written over single numbers is compiled to.

A block is several vectors one behind the other, of a number that its type tells.

Buffers are flat arrays with an index. Rows of tables are addresses in memory, since a row may lie in one of several
tables (see `group.py`); who calls keeps them alive.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from llvmlite.binding import get_host_cpu_features
from numba import types
from numba.core import cgutils, config
from numba.extending import intrinsic, models, register_model

__all__ = [
    "LANES", "add_at", "add_first_at", "add_products", "add_squares", "add_to", "fma", "load", "load_at",
    "load_first_at", "prefetch", "splat", "splat_at", "store", "store_totals", "zeros1", "zeros3", "zeros4",
]  # fmt: skip

# NUMBA_CPU_FEATURES, where it is set, is what Numba compiles for.
LANES = 16 if "+avx512f" in (getattr(config, "CPU_FEATURES", None) or get_host_cpu_features().flatten()) else 8


class _Block(types.Type):
    """The type of some vectors of LANES float32 numbers in registers."""

    def __init__(self, vectors: int) -> None:
        super().__init__(name=f"{vectors} x float32x{LANES}")
        self.vectors = vectors


_VECTOR = _Block(1)
_IR_VECTOR = ir.VectorType(ir.FloatType(), LANES)


def _operation(generate: Callable[..., Any]) -> Any:
    """An intrinsic of Numba, called in compiled code without its first parameter."""
    return intrinsic(generate)


@register_model(_Block)
class _BlockModel(models.PrimitiveModel):
    def __init__(self, manager: Any, type_: Any) -> None:
        kind = _IR_VECTOR if type_.vectors == 1 else ir.ArrayType(_IR_VECTOR, type_.vectors)
        super().__init__(manager, type_, kind)  # type: ignore[no-untyped-call]


def _vectors(builder: Any, block: Any) -> list[Any]:
    """The vectors of a block."""
    if block.type == _IR_VECTOR:
        return [block]
    return [builder.extract_value(block, i) for i in range(block.type.count)]


def _block(builder: Any, vectors: list[Any]) -> Any:
    """The block of some vectors."""
    if len(vectors) == 1:
        return vectors[0]
    block = ir.Constant(ir.ArrayType(_IR_VECTOR, len(vectors)), ir.Undefined)
    for i, vector in enumerate(vectors):
        block = builder.insert_value(block, vector, i)
    return block


def _element(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    """Pointer to LANES numbers from a flat index of a C-contiguous float32 array."""
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _IR_VECTOR.as_pointer())


def _at(builder: Any, address: Any) -> Any:
    """Pointer to LANES numbers from an address."""
    return builder.inttoptr(address, _IR_VECTOR.as_pointer())


def _next(builder: Any, pointer: Any, i: int) -> Any:
    """Pointer to the vector that is i behind another."""
    return builder.gep(pointer, [ir.IntType(64)(i)])


def _fma(builder: Any, a: Any, b: Any, c: Any) -> Any:
    return _call(builder, f"llvm.fmuladd.v{LANES}f32", _IR_VECTOR, [a, b, c])


def _load(builder: Any, pointer: Any) -> Any:
    loaded = builder.load(pointer)
    loaded.align = 4
    return loaded


def _first(builder: Any, count: Any) -> Any:
    """Mask of the first `count` lanes."""
    i64 = ir.IntType(64)
    lanes = ir.Constant(ir.VectorType(i64, LANES), list(range(LANES)))
    return builder.icmp_signed("<", lanes, _spread(builder, count, i64))


def _spread(builder: Any, value: Any, kind: Any) -> Any:
    one = builder.insert_element(ir.Constant(ir.VectorType(kind, LANES), ir.Undefined), value, ir.IntType(32)(0))
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, ir.Constant(ir.VectorType(kind, LANES), ir.Undefined), zeros)


def _call(builder: Any, name: str, result: Any, arguments: list[Any]) -> Any:
    """Call one of LLVM's own functions."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)  # type: ignore[no-untyped-call]


def _load_first(builder: Any, pointer: Any, mask: Any) -> Any:
    zeros = ir.Constant(_IR_VECTOR, [0.0] * LANES)
    return _call(builder, f"llvm.masked.load.v{LANES}f32.p0", _IR_VECTOR, [pointer, ir.IntType(32)(4), mask, zeros])


@_operation
def splat(typing_context: Any, value: Any) -> Any:
    """One number in every lane."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _spread(builder, args[0], ir.FloatType())

    return _VECTOR(types.float32), generate


@_operation
def splat_at(typing_context: Any, array: Any, index: Any) -> Any:
    """The number at a flat index in every lane. (`array[index]` asks first whether the index is negative.)"""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        return _spread(builder, builder.load(builder.gep(data, [args[1]])), ir.FloatType())

    return _VECTOR(array, types.int64), generate


@_operation
def load(typing_context: Any, array: Any, index: Any) -> Any:
    """The LANES numbers from a flat index on; nobody checks that they are there."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, _element(context, builder, signature.args[0], args[0], args[1]))

    return _VECTOR(array, types.int64), generate


@_operation
def load_at(typing_context: Any, address: Any) -> Any:
    """The LANES numbers from an address on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load(builder, _at(builder, args[0]))

    return _VECTOR(types.int64), generate


@_operation
def load_first_at(typing_context: Any, address: Any, count: Any) -> Any:
    """The first `count` numbers from an address on, and zeros behind them."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _load_first(builder, _at(builder, args[0]), _first(builder, args[1]))

    return _VECTOR(types.int64, types.int64), generate


@_operation
def store(typing_context: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write LANES numbers from a flat index on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        builder.store(args[2], _element(context, builder, signature.args[0], args[0], args[1]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, _VECTOR), generate


@_operation
def add_at(typing_context: Any, address: Any, vector: Any) -> Any:
    """Add to the numbers from an address on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        pointer = _at(builder, args[0])
        builder.store(builder.fadd(_load(builder, pointer), args[1]), pointer, align=4)
        return context.get_dummy_value()

    return types.void(types.int64, _VECTOR), generate


@_operation
def add_first_at(typing_context: Any, address: Any, count: Any, block: Any) -> Any:
    """Add the first `count` numbers of a block to those from an address on; some of the last vector may be left out."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first, (*whole, last) = _at(builder, args[0]), _vectors(builder, args[2])
        for i, vector in enumerate(whole):
            pointer = _next(builder, first, i)
            builder.store(builder.fadd(_load(builder, pointer), vector), pointer, align=4)
        left = builder.sub(args[1], ir.IntType(64)(len(whole) * LANES))
        pointer, mask = _next(builder, first, len(whole)), _first(builder, left)
        total = builder.fadd(_load_first(builder, pointer, mask), last)
        arguments = [total, pointer, ir.IntType(32)(4), mask]
        _call(builder, f"llvm.masked.store.v{LANES}f32.p0", ir.VoidType(), arguments)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, block), generate


@_operation
def fma(typing_context: Any, a: Any, b: Any, c: Any) -> Any:
    """The products of a and b, plus c, rounded once where the processor can."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return _fma(builder, *args)

    return _VECTOR(_VECTOR, _VECTOR, _VECTOR), generate


def _zeros(vectors: int) -> Any:
    @_operation
    def zeros(typing_context: Any) -> Any:
        """A block of zeros."""

        def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            return _block(builder, [ir.Constant(_IR_VECTOR, [0.0] * LANES)] * vectors)

        return _Block(vectors)(), generate

    return zeros


zeros1, zeros3, zeros4 = map(_zeros, (1, 3, 4))


@_operation
def add_products(typing_context: Any, a: Any, b: Any, a_factor: Any, b_factor: Any, array: Any, index: Any) -> Any:
    """Two blocks plus the vectors from a flat index on, times a factor for each block, a vector."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = _element(context, builder, signature.args[4], args[4], args[5])
        sums: tuple[list[Any], list[Any]] = [], []
        for i, vectors in enumerate(zip(_vectors(builder, args[0]), _vectors(builder, args[1]), strict=True)):
            loaded = _load(builder, _next(builder, first, i))
            for vector, factor, to in zip(vectors, args[2:4], sums, strict=True):
                to.append(_fma(builder, factor, loaded, vector))
        return context.make_tuple(builder, signature.return_type, [_block(builder, some) for some in sums])

    both = types.UniTuple(a, 2)  # type: ignore[no-untyped-call]
    return both(a, a, _VECTOR, _VECTOR, array, types.int64), generate


@_operation
def add_to(typing_context: Any, array: Any, index: Any, block: Any) -> Any:
    """Add a block to the numbers from a flat index on; what is there then."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        first = _element(context, builder, signature.args[0], args[0], args[1])
        totals = []
        for i, vector in enumerate(_vectors(builder, args[2])):
            pointer = _next(builder, first, i)
            totals.append(builder.fadd(_load(builder, pointer), vector))
            builder.store(totals[-1], pointer, align=4)
        return _block(builder, totals)

    return block(array, types.int64, block), generate


@_operation
def add_squares(typing_context: Any, vector: Any, block: Any) -> Any:
    """A vector plus the squares of each vector of a block."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        total = args[0]
        for part in _vectors(builder, args[1]):
            total = _fma(builder, part, part, total)
        return total

    return _VECTOR(_VECTOR, block), generate


@_operation
def store_totals(typing_context: Any, array: Any, index: Any, a: Any, b: Any, c: Any, d: Any) -> Any:
    """Write the sums of four vectors from a flat index on."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        def picked(x: Any, y: Any, lanes: list[int]) -> Any:
            kind = ir.VectorType(ir.IntType(32), len(lanes))
            return builder.shuffle_vector(x, y, ir.Constant(kind, lanes))

        def added(x: Any, y: Any, first: tuple[int, ...], second: tuple[int, ...]) -> Any:
            # The same choice of lanes in each quarter of both vectors: lanes 0 to 3 are x's, 4 to 7 y's.
            choices = []
            for lanes in (first, second):
                choices.append([4 * q + lane % 4 + LANES * (lane // 4) for q in range(LANES // 4) for lane in lanes])
            return builder.fadd(picked(x, y, choices[0]), picked(x, y, choices[1]))

        ab = added(args[2], args[3], (0, 4, 1, 5), (2, 6, 3, 7))
        cd = added(args[4], args[5], (0, 4, 1, 5), (2, 6, 3, 7))
        abcd = added(ab, cd, (0, 1, 4, 5), (2, 3, 6, 7))
        while (width := abcd.type.count) > 4:
            halves = list(range(width // 2)), list(range(width // 2, width))
            abcd = builder.fadd(picked(abcd, abcd, halves[0]), picked(abcd, abcd, halves[1]))
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        pointer = builder.bitcast(builder.gep(data, [args[1]]), ir.VectorType(ir.FloatType(), 4).as_pointer())
        builder.store(abcd, pointer, align=4)
        return context.get_dummy_value()

    return types.void(array, types.int64, _VECTOR, _VECTOR, _VECTOR, _VECTOR), generate


@_operation
def prefetch(typing_context: Any, address: Any) -> Any:
    """Ask for the cache line of an address, which will be read and written."""

    def generate(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        i32 = ir.IntType(32)
        pointer = builder.inttoptr(args[0], ir.IntType(8).as_pointer())
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), [pointer, i32(1), i32(3), i32(1)])
        return context.get_dummy_value()

    return types.void(types.int64), generate

"""Sixty-four bytes at a time: which of them are white space, which belong into words, as bits of one integer.

A kernel that asks letter by letter where a word ends guesses wrong once a word, and that costs more than the word. Here
the ends of all words of a block are bits that arithmetic finds. The vectors are LLVM's: it makes of them what the
processor has, AVX-512, AVX2 or NEON.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

BLOCK, LOOK_AHEAD = 64, 2
_BYTES, _BITS = ir.VectorType(ir.IntType(8), BLOCK), ir.IntType(BLOCK)


class _Lanes:
    """Questions to 64 bytes, as LLVM's instructions; each answer is a vector of 64 bits."""

    def __init__(self, builder, place):
        self.builder, self.place = builder, place
        self.bytes, self.second, self.third = (self.load(ahead) for ahead in range(LOOK_AHEAD + 1))

    def load(self, ahead):
        """The block that begins so many bytes later."""
        there = self.builder.gep(self.place, [ir.Constant(ir.IntType(64), ahead)])
        return self.builder.load(self.builder.bitcast(there, _BYTES.as_pointer()), align=1)

    def between(self, lanes, low, high):
        """Bytes from `low` to `high`, both of them too."""
        return self.builder.icmp_unsigned("<=", self.builder.sub(lanes, each(low)), each(high - low))

    def any(self, *answers):
        """Where one of the answers is yes."""
        found = answers[0]
        for answer in answers[1:]:
            found = self.builder.or_(found, answer)
        return found

    def both(self, one, other):
        """Where both answers are yes."""
        return self.builder.and_(one, other)

    def bits(self, answer):
        """A vector of 64 answers as one integer, the first byte's the lowest (on little-endian machines)."""
        return self.builder.bitcast(answer, _BITS)


def each(byte):
    """A vector of this byte alone."""
    return ir.Constant(_BYTES, [byte] * BLOCK)


@intrinsic
def word_masks(_typing, data, i, lowered):
    """What bytes `i` to `i + 63` of UTF-8 are, and these bytes with ASCII in lower case laid into `lowered`.

    66 bytes from `i` on must be there, and 64 in `lowered`; nothing checks it.

    Returns:
        Four uint64, a bit a byte: ASCII white space; bytes of words (ASCII letters and digits, Hangul syllables, Hanja
        from U+4E00 to U+9FFF, and the later bytes of any character); first bytes of dashes, quotation marks and dots
        from U+2010 to U+2027, three bytes each; first bytes of all other characters, which want a table.
    """
    results = types.UniTuple(types.uint64, 4)

    def ask(context, builder, signature, arguments):
        data, lowered = (
            context.make_array(signature.args[n])(context, builder, arguments[n]).data for n in (0, 2)
        )
        lanes = _Lanes(builder, builder.gep(data, [arguments[1]]))
        capitals = lanes.between(lanes.bytes, ord("A"), ord("Z"))
        lower = builder.select(capitals, builder.or_(lanes.bytes, each(0x20)), lanes.bytes)
        builder.store(lower, builder.bitcast(lowered, _BYTES.as_pointer()), align=1)
        plain, marks = _plain_letters(lanes), _marks(lanes)
        answers = _white_space(lanes), _of_words(lanes, lower, plain), marks, _others(lanes, plain, marks)
        return context.make_tuple(builder, signature.return_type, [lanes.bits(answer) for answer in answers])

    return results(data, types.int64, lowered), ask


def _white_space(lanes):
    return lanes.any(*(lanes.between(lanes.bytes, *ends) for ends in ((9, 13), (0x1C, 0x20))))


def _of_words(lanes, lower, plain):
    letters, digits = (lanes.between(lower, ord(low), ord(high)) for low, high in ("az", "09"))
    return lanes.any(letters, digits, lanes.between(lanes.bytes, 0x80, 0xBF), plain)


def _plain_letters(lanes):
    """First bytes of U+4E00 to U+9FFF and U+AC00 to U+D7A3: letters without case, all of them."""
    first_hanja = lanes.both(lanes.between(lanes.bytes, 0xE4, 0xE4), lanes.between(lanes.second, 0xB8, 0xBF))
    first_hangul = lanes.both(lanes.between(lanes.bytes, 0xEA, 0xEA), lanes.between(lanes.second, 0xB0, 0xBF))
    in_last_row = lanes.both(lanes.between(lanes.second, 0x9E, 0x9E), lanes.between(lanes.third, 0x80, 0xA3))
    up_to_last = lanes.any(lanes.between(lanes.second, 0x80, 0x9D), in_last_row)
    last_hangul = lanes.both(lanes.between(lanes.bytes, 0xED, 0xED), up_to_last)
    whole = [lanes.between(lanes.bytes, *ends) for ends in ((0xE5, 0xE9), (0xEB, 0xEC))]
    return lanes.any(*whole, first_hanja, first_hangul, last_hangul)


def _marks(lanes):
    second, third = lanes.between(lanes.second, 0x80, 0x80), lanes.between(lanes.third, 0x90, 0xA7)
    return lanes.both(lanes.between(lanes.bytes, 0xE2, 0xE2), lanes.both(second, third))


def _others(lanes, plain, marks):
    known = lanes.any(plain, marks)
    return lanes.both(lanes.between(lanes.bytes, 0xC0, 0xFF), lanes.builder.not_(known))

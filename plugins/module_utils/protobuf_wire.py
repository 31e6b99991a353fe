"""The wire format of Protocol Buffers, as far as answers are read. Standard library only, Python 3.8 and later.

Source: Protocol Buffers documentation, "Encoding". Fields that nobody asks for are passed over, so that newer messages
can be read.
"""

from __future__ import annotations

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
FIXED = {FIXED64: 8, FIXED32: 4}
LONGEST_VARINT = 10
MORE = 0x80
"""Bit of a byte that is not the last one of its number."""


def fields(data):
    """Return what a message holds: a list of values by field number, bytes or (of a varint) an unsigned number.

    Raises:
        ValueError: it is no message.
    """
    found, place = {}, 0
    while place < len(data):
        key, place = varint(data, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = varint(data, place)
        elif kind == LENGTH or kind in FIXED:
            length, place = varint(data, place) if kind == LENGTH else (FIXED[kind], place)
            value, place = data[place : place + length], place + length
        else:
            raise ValueError("wire type %d in a message" % kind)
        if place > len(data):
            raise ValueError("a message that is cut off")
        found.setdefault(number, []).append(value)
    return found


def varint(data, place):
    """Return the number at a place, and the place behind it."""
    value = 0
    for at in range(LONGEST_VARINT):
        if place + at >= len(data):
            raise ValueError("a message that is cut off")
        byte = data[place + at]
        value |= (byte & ~MORE) << 7 * at
        if not byte & MORE:
            return value, place + at + 1
    raise ValueError("a number of more than %d bytes" % LONGEST_VARINT)


def pieces(message, number):
    """Return the values of a field that are bytes: what strings, messages and packed numbers are on the wire."""
    return [value for value in message.get(number, []) if isinstance(value, bytes)]


def text(message, number):
    """Return a string, empty where there is none; the last one counts."""
    return "".join(texts(message, number)[-1:])


def texts(message, number):
    """Return repeated strings."""
    return [value.decode("utf-8", "replace") for value in pieces(message, number)]


def messages(message, number):
    """Return repeated messages, decoded."""
    return [fields(value) for value in pieces(message, number)]


def unsigned(message, number):
    """Return a uint64, 0 where there is none."""
    found = [value for value in message.get(number, []) if not isinstance(value, bytes)]
    return found[-1] if found else 0


def integers(message, number):
    """Return repeated int64, packed or not."""
    found = []
    for value in message.get(number, []):
        place = 0
        if not isinstance(value, bytes):
            found.append(value)
            continue
        while place < len(value):
            one, place = varint(value, place)
            found.append(one)
    return [value - 2**64 if value >= 2**63 else value for value in found]

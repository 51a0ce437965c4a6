"""Protobuf on the wire, as far as messages here need it."""


def first(pairs, key, default):
    return next((value for number, value in pairs if number == key), default)


def fields(message):
    """Numbers and values of the fields: integers, or bytes."""
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        value, at = _varint(message, at)
        if tag & 7 == 2:
            value, at = message[at : at + value], at + value
        else:
            assert tag & 7 == 0, f"wire type {tag & 7}"
        yield tag >> 3, value


def _varint(message, at):
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


def _encoded(value):
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return _encoded(field << 3) + _encoded(value)


def chunk(field, value):
    return _encoded(field << 3 | 2) + _encoded(len(value)) + value

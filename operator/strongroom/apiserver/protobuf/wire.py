"""The protobuf wire format: a message is a run of (field number, wire type, value). Source: protobuf.dev, "Encoding"."""

from collections.abc import Iterator

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

WireValue = int | bytes


def read_fields(data: bytes) -> Iterator[tuple[int, WireValue]]:
    """Field numbers with their values in order: varints as unsigned ints, all else as bytes. Raises ValueError when cut short."""
    position = 0
    while position < len(data):
        tag, position = read_varint(data, position)
        number, wire_type = tag >> 3, tag & 7
        value: WireValue
        if wire_type == VARINT:
            value, position = read_varint(data, position)
        elif wire_type == BYTES:
            length, position = read_varint(data, position)
            value, position = _take(data, position, length)
        elif wire_type in {FIXED64, FIXED32}:
            value, position = _take(data, position, 8 if wire_type == FIXED64 else 4)
        else:
            raise ValueError(f"proto: illegal wireType {wire_type}")
        yield number, value


def read_varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if position >= len(data):
            raise ValueError("proto: unexpected EOF")
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position
        shift += 7
        if shift > 63:
            raise ValueError("proto: integer overflow")


def _take(data: bytes, position: int, length: int) -> tuple[bytes, int]:
    end = position + length
    if end > len(data):
        raise ValueError("proto: unexpected EOF")
    return data[position:end], end


def signed(value: int) -> int:
    """int32 and int64 travel as 64-bit two's complement."""
    return value - (1 << 64) if value >= 1 << 63 else value

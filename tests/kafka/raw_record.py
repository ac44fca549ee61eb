"""Puts a record on a topic as bytes on the wire, as no well-behaved client would."""

import socket
import struct
import time
from collections.abc import Sequence

PRODUCE, VERSION = 0, 3
MAGIC = 2


def put(bootstrap: str, topic: str, value: bytes, headers: Sequence[tuple[bytes, bytes]]) -> None:
    """Produces to partition 0 by Kafka's protocol, and waits for the answer."""
    host, _, port = bootstrap.split(",")[0].rpartition(":")
    batch, name = _batch(value, headers), topic.encode()
    request = struct.pack(">hhi", PRODUCE, VERSION, 1) + struct.pack(">h", -1)  # no client id
    request += struct.pack(">hhi", -1, -1, 5000)  # no transaction, all replicas, in ms
    request += struct.pack(">ih", 1, len(name)) + name + struct.pack(">iii", 1, 0, len(batch)) + batch
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        assert connection.recv(4096)


def _batch(value: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    now = int(time.time() * 1000)
    rest = struct.pack(">hiqqqhii", 0, 0, now, now, -1, -1, -1, 1) + _record(value, headers)
    body = struct.pack(">ibI", -1, MAGIC, _crc32c(rest)) + rest
    return struct.pack(">qi", 0, len(body)) + body


def _record(value: bytes, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    body = b"\0" + _varint(0) + _varint(0) + _varint(-1) + _varint(len(value)) + value + _varint(len(headers))
    for name, held in headers:
        body += _varint(len(name)) + name + _varint(len(held)) + held
    return _varint(len(body)) + body


def _varint(number: int) -> bytes:
    left, out = (number << 1) ^ (number >> 63), b""
    while left & ~0x7F:
        out, left = out + bytes([left & 0x7F | 0x80]), left >> 7
    return out + bytes([left])


def _crc32c(content: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF

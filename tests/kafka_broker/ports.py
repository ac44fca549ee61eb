"""Ports for brokers."""

import random
import socket

# Below the ports that systems give to outgoing connections (Linux from 32768, macOS from 49152): a client
# that dials a stopped broker could otherwise be given the broker's own port and be connected to itself.
_FIRST, _LAST = 20_000, 32_000
# Not the one that hypothesis seeds: two brokers would be given the same ports.
_CHANCE = random.SystemRandom()
_given: set[int] = set()


def free_port() -> int:
    """A port on the loopback address that nobody listens on just now, and each time another."""
    for port in _CHANCE.sample(sorted(set(range(_FIRST, _LAST)) - _given), 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.add(port)
            return port
    raise OSError(f"no free port between {_FIRST} and {_LAST}")

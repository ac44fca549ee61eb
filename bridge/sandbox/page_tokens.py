"""Tokens that say where the next page begins: signed, and good only for the query they were given out for."""

import hmac
from base64 import b64decode, urlsafe_b64encode

import orjson

Position = tuple[int, str]
"""Time in milliseconds since the epoch, and id, of the last item that was answered."""

_SIGNATURE_BYTES = 16


class PageTokens:
    """Makes tokens of positions, and positions of tokens. `secret` decides which tokens are its own."""

    def __init__(self, secret: str) -> None:
        self._key = secret.encode()

    def token(self, position: Position, query: object) -> str:
        """The token for what follows a position in the answers to a query."""
        payload = orjson.dumps(position)
        return urlsafe_b64encode(self._signature(payload, query) + payload).decode()

    def position(self, token: str, query: object) -> Position:
        """The position in a token.

        Raises:
            ValueError: it was not given out here for this query.
        """
        try:
            signed = b64decode(token, altchars=b"-_", validate=True)
        except ValueError:
            signed = b""
        signature, payload = signed[:_SIGNATURE_BYTES], signed[_SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(payload, query)):
            raise ValueError("nextPageToken was not given out for this query")
        time, last = orjson.loads(payload)
        return time, last

    def _signature(self, payload: bytes, query: object) -> bytes:
        return hmac.digest(self._key, payload + repr(query).encode(), "sha256")[:_SIGNATURE_BYTES]

"""Request bodies as they were before they were compressed."""

import zlib

from bridge.sandbox.call import Answer, refusal

GZIP_WINDOW = 16 + zlib.MAX_WBITS
"""By which zlib expects gzip's header."""


def decoded(body: bytes, coding: str, limit: int, *, gzip: bool) -> bytes | Answer:
    """The body without its content coding; or 400, 413 or 415.

    No more than `limit` bytes are unpacked, however small the body came. `gzip` says whether that is taken.
    """
    if coding == "identity":
        return body
    if coding != "gzip" or not gzip:
        return refusal(415, f"the content coding {coding} is not taken")
    unpacking = zlib.decompressobj(GZIP_WINDOW)
    try:
        plain = unpacking.decompress(body, limit + 1)
    except zlib.error as error:
        return refusal(400, f"the body is not gzip: {error}")
    if len(plain) > limit:
        return refusal(413, f"a request may have {limit} bytes at most")
    return plain if unpacking.eof else refusal(400, "the body is not gzip: it is cut short")

"""Takes personal data and secrets out of text that others wrote, before it is logged, shown or stored.

The rules look for shapes, so a secret that looks like an ordinary word stays; whoever knows the secret
removes it by value. Each rule reads its input once: no quantifier gives back what it took (`++`, `*+`), and
none can start again in the middle of what another start has already read.
"""

import re
from collections.abc import Callable

REDACTED = "[redacted]"
EMAIL = "[email]"

EXCERPT_CHARS = 500
# What an excerpt is taken from. Redaction shortens text, so it needs more than it shows, and an error page of
# a megabyte must not be searched to its end.
_WINDOW_CHARS = 16 * 1024

# Any run without these can be a side of an e-mail address: wider than the RFC, so that nothing odd slips by.
_SIDE = r'[^\s@"<>()\[\]{},;:=&?]'
_SECRET_NAMES = r"token|secret|passw(?:or)?d|api[_-]?key|authorization|signature"  # noqa: S105

_SECRET_FIELD = re.compile(rf"(?:{_SECRET_NAMES})$", re.IGNORECASE)


def _without_query(address: re.Match[str]) -> str:
    return f"{address[1]}?{REDACTED}" if address[2] else address[1]


_RULES: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    # "Bearer abc", "Basic abc", also with the blank encoded as in a URL or a form.
    (re.compile(r"\b(bearer|basic)(?:[\s+]++|%20)[\w.~+/=%-]++", re.IGNORECASE), rf"\1 {REDACTED}"),
    # A JSON web token without a word before it: it begins with `{"` in base64.
    (re.compile(r"\beyJ[\w.=-]{8,}+"), REDACTED),
    # name=value, "name": "value" and the same escaped inside another JSON string.
    (
        re.compile(
            rf"({_SECRET_NAMES})"
            r"(\\*+[\"']?\s*+[:=]\s*+)"
            r"(?:\"(?:[^\"\\]|\\.)*+\"?|\\*+[\"']?[^\s\"'\\&,;}\]]++)",
            re.IGNORECASE,
        ),
        rf"\1\2{REDACTED}",
    ),
    # The query of a whole address. Matching also those without one keeps each address to a single reading.
    (re.compile(r"(https?://[^\s\"'<>?\\]*+)(\?[^\s\"'<>\\]++)?", re.IGNORECASE), _without_query),
    # The query of a path alone.
    (re.compile(r"\?[\w.~%+-]++=[^\s\"'<>\\]*+"), f"?{REDACTED}"),
    (re.compile(r"(?<![\w.+-])[\w.+-]++%40[\w.+-]++", re.IGNORECASE), EMAIL),
    (re.compile(rf"(?<!{_SIDE}){_SIDE}++(?:@{_SIDE}++)++"), EMAIL),
)


def names_a_secret(name: str) -> bool:
    """Whether a field of this name holds a secret, whatever it looks like; one named `token_url` does not."""
    return _SECRET_FIELD.search(name) is not None


def redact(text: str) -> str:
    """The text with e-mail addresses, bearer tokens, named secrets and the queries of addresses replaced."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def excerpt(body: bytes | str, limit: int = EXCERPT_CHARS) -> str:
    """The start of a body as one printable line of at most `limit` characters, redacted before it is cut."""
    text = body[:_WINDOW_CHARS]
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    if len(body) > _WINDOW_CHARS:
        # What the end of the window cut in two can no longer be told for an address: leave it out.
        text = text[: max(text.rfind(mark) for mark in ' \n\t",') + 1]
    line = " ".join(redact(text).split())
    return "".join(char if char.isprintable() else " " for char in line[:limit])

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.core.redact import EMAIL, REDACTED, excerpt, redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no user ann@example.com here", f"no user {EMAIL} here"),
        ('{"email":"o\'brien+x@mail.example.co.uk"}', f'{{"email":"{EMAIL}"}}'),
        (r'"j\u00f6rg@example.com"', f'"{EMAIL}"'),
        ("jörg@büro.example, b@c.de", f"{EMAIL}, {EMAIL}"),
        ("a@b/c@d", EMAIL),
        ("ann%40example.com", EMAIL),
        ("root@localhost", EMAIL),
        ("Bearer abc.def-ghi", f"Bearer {REDACTED}"),
        ("bearer%20abc~", f"bearer {REDACTED}"),
        ("Basic aWQ6c2VjcmV0", f"Basic {REDACTED}"),
        ("saw eyJhbGciOiJIUzI1NiJ9.eyJzdWIifQ.c2ln!", f"saw {REDACTED}!"),
        ("client_secret=s3cret&scope=x", f"client_secret={REDACTED}&scope=x"),
        ('{"access_token": "a\\"b c", "n": 1}', f'{{"access_token": {REDACTED}, "n": 1}}'),
        (r"{\"client_secret\":\"s3cret\"}", rf"{{\"client_secret\":{REDACTED}\"}}"),
        ("apiKey: k-1", f"apiKey: {REDACTED}"),
        ("see https://h.example/p?sig=1&x", f"see https://h.example/p?{REDACTED}"),
        ("see https://h.example/p?opaque", f"see https://h.example/p?{REDACTED}"),
        ("see https://h.example/p.", "see https://h.example/p."),
        ("GET /p?next=abc HTTP/1.1", f"GET /p?{REDACTED} HTTP/1.1"),
        ("Really? Yes = yes", "Really? Yes = yes"),
        ("plain words stay: 12 records, 3 bad", "plain words stay: 12 records, 3 bad"),
    ],
)
def test_redacts_by_shape(text: str, expected: str) -> None:
    assert redact(text) == expected


_LOCAL = st.text("abcxyzXYZ0189.+-_'ö/", min_size=1, max_size=80)
_DOMAIN = st.text("abcxyz089.-ü", min_size=1, max_size=80)
_AROUND = st.text(max_size=40)


@given(_AROUND, _LOCAL, _DOMAIN, _AROUND)
def test_no_address_survives(before: str, local: str, domain: str, after: str) -> None:
    secret = f"{local}Q7@7Q{domain}"
    assert "Q7@7Q" not in redact(f"{before} {secret} {after}")
    assert local + "Q7" not in redact(f'{before}"{secret}"{after}')


@given(_AROUND, st.text("abcABC019-._~+/=", min_size=1), _AROUND)
def test_no_bearer_token_survives(before: str, token: str, after: str) -> None:
    assert f"Q7{token}7Q" not in redact(f"{before} Bearer Q7{token}7Q {after}")


@given(_AROUND, st.text("abc019&=%/.-", max_size=60), _AROUND)
def test_no_query_survives(before: str, query: str, after: str) -> None:
    assert "Q7" not in redact(
        f"{before.replace('Q7', '')} https://example.com/x?Q7{query} {after.replace('Q7', '')}"
    )


@given(st.binary() | st.text(), st.integers(min_value=0, max_value=600))
def test_excerpt_is_one_short_printable_line(body: bytes | str, limit: int) -> None:
    line = excerpt(body, limit)
    assert len(line) <= limit
    assert line.isprintable()


def test_excerpt_redacts_before_it_cuts() -> None:
    assert "ann" not in excerpt("x" * 490 + " ann.long.name@example.com")


def test_excerpt_drops_what_its_window_cut_in_two() -> None:
    # Addresses shrink so much that the end of the window shows; the last one is cut before its @.
    body = '"' + '","'.join(["b" * 190 + "@example.com"] * 200) + '"'
    assert "bb" not in excerpt(body, 2000)


@pytest.mark.parametrize(
    "piece",
    ["a", "@", "a@", "http://", "?", "?a", "Bearer ", "bearer+", "token", 'token"', "token\\", 'secret="\\',
     "eyJ", "a%40", "%40", "https://a?", "token: ", " ", "\\"],
)  # fmt: skip
def test_reading_takes_time_in_proportion_to_the_text(piece: str) -> None:
    # 400,000 characters take well under a second read once, and minutes if each start reads to the end.
    text = piece * (400_000 // len(piece))
    started = time.process_time()
    redact(text)
    assert time.process_time() - started < 5

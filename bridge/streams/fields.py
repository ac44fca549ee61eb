"""Field types that several streams share, with the limits that tell a slip from data.

A description completes the sentence "send …", which is what the producer of a refused record reads.
"""

from typing import Annotated

from pydantic import Field

# 1973-03-03 to 2200-01-01 in milliseconds. A time in seconds (ten digits until 2286) falls below the range
# and one in microseconds above it, so a wrong unit is refused instead of becoming a date in 1970.
EPOCH_MILLIS_MIN = 100_000_000_000
EPOCH_MILLIS_MAX = 7_258_118_400_000

EpochMillis = Annotated[
    int,
    Field(
        strict=True,
        ge=EPOCH_MILLIS_MIN,
        le=EPOCH_MILLIS_MAX,
        description="milliseconds since 1970-01-01 UTC as a whole number",
    ),
]

# Shape only, linear in its input: one @, no blanks, a dot in the domain. 254 is the longest address that SMTP
# can carry (RFC 5321, 4.5.3.1.3).
Email = Annotated[
    str,
    Field(
        max_length=254,
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+$",
        description="an e-mail address such as name@example.com",
    ),
]

MaxVanishedShare = Annotated[
    float,
    Field(
        ge=0,
        le=1,
        description="Share of the known records, from 0 to 1, that may be missing from a list at once. Where "
        "more than this and more than ten are, none is taken away and the round fails; 1 lets all go.",
    ),
]

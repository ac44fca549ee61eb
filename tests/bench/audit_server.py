"""A Productiv API with an audit trail that is there already, so that the bridge's source is what is measured.

    python -m tests.bench.audit_server EVENTS BEGIN      prints its address, then serves until it is ended

The events are one every `STEP` milliseconds from BEGIN on, in milliseconds since 1970. All are made before
the first request, and a page is no more than a slice of them. `GET /asked` tells the monotonic second of
the first question and how many pages were asked for.
"""

import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import orjson

from tests.bench import small_http
from tests.bench.counting_server import TOKEN
from tests.bench.small_http import Answer

STEP = 500
PAGE = 500  # as the API's description says
PEOPLE = 500


class AuditServer:
    """The trail, and what was asked of it."""

    def __init__(self, events: int, begin: int) -> None:
        self._begin = begin
        self._events = [_event(number, begin + number * STEP) for number in range(events)]
        self._first_asked = 0.0
        self._pages = 0

    def serve(self, method: bytes, path: bytes, body: bytes) -> Answer:
        """Answers one request."""
        asked = urlsplit(path.decode())
        if asked.path == "/oauth2/token":
            return Answer(TOKEN)
        if asked.path == "/asked":
            return Answer(orjson.dumps([self._first_asked, self._pages]))
        self._first_asked = self._first_asked or time.monotonic()
        self._pages += 1
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        first = int(query.get("nextPageToken") or self._number(query["startTime"]))
        return Answer(page(self._events, first, self._number(query["endTime"])))

    def _number(self, moment: str) -> int:
        """That of the first event at a moment or after it; there may be none with it."""
        at = round(datetime.fromisoformat(moment).timestamp() * 1000)
        return min(max(-(-(at - self._begin) // STEP), 0), len(self._events))


def page(events: Sequence[bytes], first: int, end: int) -> bytes:
    """The events from `first` on and before `end`, as many as fit; its token is the number of the next."""
    last = min(first + PAGE, end)
    more = b',"nextPageToken":"%d"' % last if last < end else b""
    return b'{"events":[' + b",".join(events[first:last]) + b"]" + more + b"}"


def _event(number: int, at: int) -> bytes:
    return orjson.dumps(
        {
            "eventId": f"event-{number:010d}",
            "eventType": "contract_updated",
            "timestamp": datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds"),
            "userEmail": f"person-{number % PEOPLE}@example.com",
            "details": {"applicationId": f"saas-{number % 50}", "field": "endDate", "to": "2027-06-30"},
        }
    )


if __name__ == "__main__":
    small_http.run(AuditServer(int(sys.argv[1]), int(sys.argv[2])).serve)

"""A list that the API gives as a whole: what is new, changed or gone since the last round goes out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from bridge.core.entries import FORMAT, check, chunks, digest, entries, is_moment, is_text
from bridge.core.polling import Ask, Cursor, Emission, Json, Page, Round, RoundFailed, Write
from bridge.core.record import Doc
from bridge.core.shape import Object
from bridge.core.stream import Operation

ITEM = "item/"  # begins the name of an entry; the id follows
DETAILS_AT_ONCE = 50  # asked for in one step and then written: what a crash makes us ask again
RECORDS_AT_ONCE = 500  # in one write
FEW = 10  # so many may vanish at once without a question
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Details:
    """What the API says of one item alone: the operation, and what it calls the id in the address."""

    operation: Operation
    place: str

    def asks(self, items: Sequence[str]) -> list[Ask]:
        """The questions for the details of these items."""
        return [Ask(self.operation, {self.place: item}) for item in items]


@dataclass(frozen=True, slots=True)
class Listing:
    """A list, by the `name` of its stream and output alike; `identity` is the field that holds a row's id.

    A record is what `form` reads of a row and of its details, if there are any; its key is the id.
    """

    name: str
    operation: Operation
    identity: str
    form: Object
    details: Details | None = None

    def poll(self, options: Any, cursor: Cursor, now_ms: int) -> Round:
        """One round; what is new or changed goes out even if it then fails because too much vanished.

        `options` has `max_vanished_share`, and `details_interval_hours` if there are details.

        Raises:
            RoundFailed: there is no list (`not_as_described`), or too much vanished (`vanished`).
            BridgeError: a newer version or something else wrote the cursor.
        """
        check(cursor, {ITEM: self._is_entry})
        known = entries(cursor, ITEM)
        [page] = yield [Ask(self.operation)]
        if page is None:
            raise RoundFailed("not_as_described", f"the API says that it has no list of {self.name} (404)")
        rows = {row[self.identity]: row for row in page.rows}
        interval_ms = round(options.details_interval_hours * HOUR_MS) if self.details else None
        yield from self._changes(rows, known, now_ms, interval_ms)
        yield from self._departures(
            sorted(known.keys() - rows.keys()), len(known), options.max_vanished_share
        )

    def _is_entry(self, entry: Json) -> bool:
        asked_at = entry.get("detailed_at")
        return (
            is_text(entry.get("digest"))
            and is_text(entry.get("summary", ""))
            and (asked_at is None or is_moment(asked_at))
        )

    def _changes(
        self, rows: Mapping[str, Doc], known: Mapping[str, Json], now_ms: int, interval_ms: int | None
    ) -> Round:
        stale = [
            item
            for item in sorted(rows)
            if self._changed(rows[item], known.get(item)) or _due(item, known[item], now_ms, interval_ms)
        ]
        for part in chunks(stale, DETAILS_AT_ONCE if self.details else RECORDS_AT_ONCE):
            pages = (yield self.details.asks(part)) if self.details else [None] * len(part)
            emissions, remember = [], {}
            for item, page in zip(part, pages, strict=True):
                record, entry = self._look(item, rows[item], page, now_ms)
                if item not in known or known[item]["digest"] != entry["digest"]:
                    emissions.append(Emission(self.name, item, record))
                remember[ITEM + item] = entry
            yield Write(emissions, remember, rows=len(part))

    def _changed(self, row: Doc, entry: Json | None) -> bool:
        # A later version may read rows into another shape. All digests differ once then, and all records go
        # out again, which a compacted topic takes well.
        return entry is None or entry.get("summary", entry["digest"]) != digest(self.form.read(row)).hex()

    def _look(self, item: str, row: Doc, page: Page | None, now_ms: int) -> tuple[Doc, Json]:
        """The record of an item, and its entry. Details that are not there (404) are asked for next round."""
        details = page.rows[0] if page else {}
        record = self.form.read({**row, **details, self.identity: item})
        entry = {"format": FORMAT, "digest": digest(record).hex()}
        if self.details is None:
            return record, entry
        summary = digest(self.form.read(row)).hex()
        return record, entry | {"summary": summary, "detailed_at": now_ms if page else None}

    def _departures(self, gone: Sequence[str], known: int, max_share: float) -> Round:
        if len(gone) > FEW and len(gone) > max_share * known:
            raise RoundFailed(
                "vanished",
                f"{len(gone)} of {known} {self.name} are missing from the list, more than the share of "
                f"{max_share:g} that may vanish at once, so none was taken away; if they are really gone, "
                f"set sources.{self.name}.max_vanished_share to 1 for one round",
            )
        for part in chunks(gone, RECORDS_AT_ONCE):
            forget = {ITEM + item: None for item in part}
            yield Write([Emission(self.name, item, None) for item in part], forget, rows=len(part))


def _due(item: str, entry: Json, now_ms: int, interval_ms: int | None) -> bool:
    """Whether to ask for details though the list says nothing new.

    Each id has its own moment in the interval, so that items that came together are not due together.
    """
    if interval_ms is None:
        return False
    moment = int.from_bytes(blake2b(item.encode(), digest_size=8).digest()) % interval_ms
    asked_at = entry["detailed_at"]
    return asked_at is None or (asked_at - moment) // interval_ms < (now_ms - moment) // interval_ms

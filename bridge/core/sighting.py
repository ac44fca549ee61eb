"""One look at something that changes until it ends: what goes out for it, and what is remembered of it.

An item belongs to a group and has parts, as an execution belongs to a workflow and affects users. Its state
is its status, its times and its parts. What else is known of it goes along, and is no reason to go out.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Set
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import quote, unquote

from bridge.core.entries import FORMAT, digest, is_packed, is_text, is_whole
from bridge.core.polling import Emission, Json
from bridge.core.record import Doc
from bridge.core.shape import EXTRA, JSON, Object

STATUS, START, END, SEQUENCE = "status", "startTime", "endTime", "sequence"

PART_BYTES = 8  # of a part's digest; that two of 50,000 are alike happens once in ten thousand million items
MAX_PARTS = 50_000  # remembered one by one: 533 kB in an entry, where Kafka takes messages of 1 MB


@dataclass(frozen=True, slots=True)
class Kind:
    """What items of a kind are called in rows and records, and where they go.

    `group` and `item` are the fields of the ids, `parts` that of the list of parts (in a record: how many
    there are), and `part` that of a part's id.
    """

    group: str
    item: str
    parts: str
    part: str
    output: str
    form: Object
    part_output: str
    part_form: Object

    def listed(self, about: Doc, row: Doc) -> Doc:
        """What a row of a list says, as a record; `about` is what is known beside it, the group's id too."""
        return {**about, **self.form.read({**row, self.group: about[self.group]})}

    def record(self, listed: Doc, details: Doc) -> Doc:
        """What the list says, as a record, and the row of the details, which is newer, together."""
        raw = {name: value for name, value in details.items() if name not in (self.group, self.item)}
        rows, odd = raw.get(self.parts), {}
        if isinstance(rows, list):
            raw[self.parts] = len(rows)
            if unnamed := [row for row in rows if not self._named(row)]:
                odd[self.parts] = JSON.read(unnamed)
        read = self.form.read(raw)
        extra = {**listed.get(EXTRA, {}), **read.get(EXTRA, {}), **odd}
        return {**listed, **read} | ({EXTRA: extra} if extra else {})

    def part_records(self, details: Doc) -> list[Doc]:
        """The parts that have an id; those that have none stay with the item."""
        rows = details.get(self.parts)
        return (
            [self.part_form.read(row) for row in rows if self._named(row)] if isinstance(rows, list) else []
        )

    def is_entry(self, entry: Json) -> bool:
        """Whether this is what is remembered of an item."""
        known = all(is_text(entry.get(name)) for name in ("digest", "summary"))
        known = known and is_whole(entry.get("sequence")) and is_packed(entry.get("parts"))
        if entry.get("open") is True:
            return known and self._is_listed(entry.get("listed"))
        return known and entry.get("open") is False and is_whole(entry.get("until"))

    def _is_listed(self, listed: object) -> bool:
        return (
            isinstance(listed, dict)
            and all(is_text(listed.get(name)) for name in (self.group, self.item))
            and all(is_whole(listed.get(name, 0)) for name in (START, END))
            and isinstance(listed.get(EXTRA, {}), dict)
        )

    def _named(self, row: object) -> bool:
        return isinstance(row, dict) and isinstance(row.get(self.part), str)


@dataclass(frozen=True, slots=True)
class Sighting:
    """An item as the API shows it now, and its entry.

    `listed` is what the list says of it, as a record: now if it is `current`, else when it was last in it.
    `details` is the row of its details; None: there are none (404).
    """

    name: str
    entry: Json | None
    listed: Doc
    current: bool
    details: Doc | None = None

    def record(self, kind: Kind) -> Doc:
        """All that is known of it."""
        return kind.record(self.listed, self.details or {})

    def outcome(self, kind: Kind, ended: Set[str], now_ms: int) -> tuple[list[Emission], Json]:
        """The records that go out, if its state is another than it was, and its new entry.

        `ended` are the statuses, in lower case, of what has come to its end.
        """
        if self.entry is not None and self.details is None and not self.current:
            return [], _closed(self.entry, self.listed, now_ms)  # nobody can tell any more how it ended
        was = self.entry or {"sequence": 0, "digest": "", "parts": ""}
        record = self.record(kind)
        parts = {digest(part, PART_BYTES): part for part in kind.part_records(self.details or {})}
        entry = {
            "format": FORMAT,
            "sequence": was["sequence"],
            "digest": _state(record, kind),
            "parts": _packed(parts) if self.details is not None else was["parts"],
            "summary": digest(self.listed).hex(),
            "open": True,
            "listed": self.listed,
        }
        emissions: list[Emission] = []
        if (entry["digest"], entry["parts"]) != (was["digest"], was["parts"]):
            entry["sequence"] += 1
            known = _unpacked(was["parts"])
            new = [part for key, part in parts.items() if key not in known]
            emissions = self._emissions(kind, {**record, SEQUENCE: entry["sequence"]}, new, now_ms)
        return emissions, _closed(entry, record, now_ms) if has_ended(record, ended) else entry

    def _emissions(self, kind: Kind, record: Doc, parts: Iterable[Doc], now_ms: int) -> list[Emission]:
        place = {name: record[name] for name in (kind.group, kind.item, SEQUENCE)}
        at = self._at(record, now_ms)
        emissions = [Emission(kind.output, self.name, record, at)]
        for part in parts:
            # In lower case, so that one user's records share a partition however the address is spelled.
            key = f"{self.name}/{quote(part[kind.part].lower(), safe='@')}"
            emissions.append(Emission(kind.part_output, key, part | place, at))
        return emissions

    def _at(self, record: Doc, now_ms: int) -> int | None:
        """When this state began: at the end of what has ended since, at the start of what is new."""
        at: int | None = None  # in between it changed at some time between two looks
        if END in record and record[END] != (self.entry or {}).get(END):
            at = record[END]
        elif self.entry is None:
            at = record.get(START)
        return at if at is not None and 0 <= at <= now_ms else None  # Kafka refuses times that cannot be


def has_ended(record: Doc, ended: Set[str]) -> bool:
    """Whether it has one of these statuses, in whatever case, or an end; one before 1970 is none."""
    return record.get(END, 0) > 0 or str(record.get(STATUS)).casefold() in ended


def name_of(group: str, item: str) -> str:
    """One name for both ids, whatever characters they hold."""
    return f"{quote(group, safe='')}/{quote(item, safe='')}"


def ids_of(name: str) -> tuple[str, str]:
    """The ids that `name_of` made a name of."""
    group, _, item = name.partition("/")
    return unquote(group), unquote(item)


def _closed(entry: Json, record: Doc, now_ms: int) -> Json:
    """An entry that is kept only as long as the list may show the item again: `until` that time."""
    kept = {name: value for name, value in entry.items() if name != "listed"}
    end = {END: record[END]} if END in record else {}
    # Nothing says of which of its times a window of the list is. An end that is not known is before now.
    return kept | end | {"open": False, "until": max(record.get(START, 0), record.get(END, now_ms))}


def _state(record: Doc, kind: Kind) -> str:
    state = {name: record.get(name) for name in (STATUS, START, END)}
    return digest(state | {kind.parts: record.get(EXTRA, {}).get(kind.parts)}).hex()


def _packed(digests: Iterable[bytes]) -> str:
    """Too many become one digest of all, which no part has: then all parts go out again at each change."""
    packed = b"".join(sorted(digests))
    if len(packed) > MAX_PARTS * PART_BYTES:
        packed = blake2b(packed, digest_size=PART_BYTES).digest()
    return b64encode(packed).decode()


def _unpacked(packed: str) -> set[bytes]:
    digests = b64decode(packed)
    return {digests[at : at + PART_BYTES] for at in range(0, len(digests), PART_BYTES)}

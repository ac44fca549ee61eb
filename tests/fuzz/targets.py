"""What is fuzzed: functions of bytes that must end well, or in an error of the kind that they promise."""

import asyncio
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import orjson
from confluent_kafka import Message

from bridge.config import load
from bridge.core.errors import BridgeError, ConfigError, SchemaError
from bridge.core.journal import Entry, State
from bridge.core.polling import RoundFailed
from bridge.core.shape import Misfit
from bridge.kafka import serde, topics
from bridge.kafka.avro_reader import AvroReader
from bridge.kafka.avro_schema import load_schema, record_schema
from bridge.kafka.journal_entries import JournalFormat
from bridge.kafka.refusal import Refusal
from bridge.productiv.contracts import CONTRACTS
from bridge.productiv.statuses import Answer, outcome_of
from bridge.resources import folder
from bridge.streams import SINKS, SOURCES
from tests.productiv.clients import Service, publish

Target = Callable[[bytes], object]

_TOPICS = topics.load_all()
_DECODERS = [
    serde.decoder(stream, topics.overridden(_TOPICS[name], {"format": wire}))
    for name, stream in SINKS.items()
    for wire in ("json", "avro")
]
_USAGE = load_schema(_TOPICS["usage"].schema_path)
_QUESTIONS = [question for contract in CONTRACTS.values() for question in contract.questions.values()]
_JOURNAL = JournalFormat("group", "topic")
_FILE = Path(tempfile.mkdtemp()) / "usage.yaml"
_NOW_MS = 1_767_225_600_000


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except ValueError:
        return None


def decoders(data: bytes) -> None:
    """The first byte is the decoder, the next the length of the key; the rest is the value."""
    which, length = data[:2].ljust(2, b"\0")
    key, value = data[2 : 2 + length], data[2 + length :]
    decoded = _DECODERS[which % len(_DECODERS)].decode([Message(key=key, value=value), Message(key=key)])
    assert len(decoded.docs) + len(decoded.refused) == 2
    assert all(refused.detail for refused in decoded.refused)


def avro_schemas(data: bytes) -> None:
    """A schema and, behind the last line end, a value."""
    text, _, value = data.rpartition(b"\n")
    schema = _json(text)
    with suppress(SchemaError, Refusal):
        AvroReader(record_schema(schema, "the schema"), _USAGE).one(value)


def configuration(data: bytes) -> None:
    """A file of settings."""
    _FILE.write_bytes(data)
    with suppress(ConfigError):
        load(_FILE, {})


def descriptions(data: bytes) -> None:
    """A description of a topic."""
    _FILE.write_bytes(data)
    with suppress(SchemaError):
        topics.load(_FILE)


def statuses(data: bytes) -> None:
    """Two bytes are the status, the first line behind them two headers, the rest the body."""
    head, _, body = data[2:].partition(b"\n")
    after, _, location = head.decode("latin-1").partition(" ")
    answer = Answer(100 + int.from_bytes(data[:2]) % 900, body, not data[:1] > b"\x80", after, location)
    outcome_of(answer.without("token"), records=10, wall=0.0, retry_after_cap=300.0)


def token_answers(data: bytes) -> None:
    """An answer of the token endpoint."""

    async def ask() -> None:
        async with Service(on_token=lambda request: httpx.Response(200, content=data)).client() as client:
            await publish(client)

    asyncio.run(ask())


def pages(data: bytes) -> None:
    """An answer to each question, and its rows in the form of each record."""
    document = _json(data)
    for question in _QUESTIONS:
        with suppress(ValueError):
            question.page(document)
    for source in SOURCES.values():
        for form in source.outputs.values():
            with suppress(Misfit):
                form.read(document)


def cursors(data: bytes) -> None:
    """The entries that a source finds, up to its first step."""
    document = _json(data)
    entries = document.items() if isinstance(document, dict) else ()
    cursor = {name: entry for name, entry in entries if isinstance(entry, dict)}
    for source in SOURCES.values():
        source.position(cursor)
        with suppress(BridgeError, RoundFailed, StopIteration):
            next(source.poll(source.options(), cursor, _NOW_MS))


def journal(data: bytes) -> None:
    """An entry, and what stands in its key."""
    _JOURNAL.kind(b"group/topic/" + data)
    _JOURNAL.resolved(b"group/topic/" + data)
    with suppress(ValueError):
        _JOURNAL.entry(0, data)
    with suppress(ValueError):
        _JOURNAL.parked(data)


TARGETS: dict[Target, list[bytes]] = {
    decoders: [b"\0\0{}", b'\4\0{"amount": 1e9, "app": "a", "currency": "EUR", "date": "2026-01-31"}'],
    avro_schemas: [orjson.dumps(_USAGE) + b"\n\2a"],
    configuration: [b"kafka: {bootstrap_servers: 'a:1'}\nhttp:\n  port: 1\n"],
    descriptions: [(folder("topics") / "usage.yaml").read_bytes()],
    statuses: [b'\0\x649 /x\n{"success": true}', b'\1\x2c\n{"errors": [{"index": 1, "message": "m"}]}'],
    token_answers: [b'{"access_token": "t", "expires_in": 60, "scope": "s"}', b"access_token=t"],
    pages: [b'{"users": [{"email": "a"}]}', b'{"events": [{"timestamp": "2026-01-31T00:00:00Z"}]}'],
    cursors: [b'{"head": {"format": 1, "position": 1, "floor": 1, "shortened": false}}'],
    journal: [b"0/resolved/1", _JOURNAL.entry_value(Entry("b", "a", 0, ((0, 2),), "d", State.OPEN, 1))],
}
"""Each with what the fuzzer begins from."""

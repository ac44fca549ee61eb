"""Which traces a batch is said to belong to."""

from dataclasses import dataclass, field
from typing import Any

from bridge.kafka.trace_parents import MAX_LOOKED, MAX_PARENTS, trace_parents


@dataclass
class Message:
    """A message that is only asked for its headers."""

    given: list[tuple[str, Any]] | None = None
    asked: list[bool] = field(default_factory=list)

    def headers(self) -> list[tuple[str, Any]] | None:
        self.asked.append(True)
        return self.given


def parent(trace: int, span: int = 1) -> bytes:
    return f"00-{trace:032x}-{span:016x}-01".encode()


def of(*parents: bytes | None) -> list[Message]:
    return [Message([("other", b"x"), ("traceparent", each)]) for each in parents]


def test_each_trace_is_named_once() -> None:
    messages = [*of(parent(1), parent(2), parent(1, 7)), Message(), Message([])]
    assert trace_parents(messages) == [parent(1).decode(), parent(2).decode()]


def test_foreign_headers_do_no_harm() -> None:
    assert trace_parents(of(b"\xff" * 900, None)) == ["\ufffd" * 64]


def test_not_all_records_are_looked_at() -> None:
    messages = of(*[parent(1)] * (MAX_LOOKED + 5))
    trace_parents(messages)
    assert sum(bool(each.asked) for each in messages) == MAX_LOOKED


def test_not_all_traces_are_named_and_no_more_are_looked_for() -> None:
    messages = of(*(parent(n) for n in range(1, MAX_PARENTS + 9)))
    assert len(trace_parents(messages)) == MAX_PARENTS
    assert sum(bool(each.asked) for each in messages) == MAX_PARENTS

"""What is still to be sent to make up for a difference, while the topic goes on and its sink works.

Sink and plan write to the same records at the API. By two rules the last write is the topic's last word:

- Before each try, records of which the topic says something newer are left out: the sink carries that.
- After the API took a batch, the topic is read once more, up to its end at that moment. Whatever it says
  newer about a record of that batch the sink may have delivered before our write, so it goes out again from
  here; and so on until nothing newer is said. What stands behind that end, the sink delivers after our write.
"""

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b

from bridge.core.outcome import Rejected
from bridge.core.record import Deletion, Doc
from bridge.core.stream import Operation, SinkStream
from bridge.kafka.last_words import Word
from bridge.reconcile.difference import Difference


@dataclass(slots=True)
class Item:
    """One record to add, change or delete: what to send, by which word of the topic, and whether it went."""

    identity: str
    doc: Doc
    word: Word | None  # None: the topic never said anything of it, which makes it a leaver
    sent: bool = False


@dataclass(slots=True)
class Tally:
    """What came of it.

    `overtaken`: left to the sink, as the topic said something newer; `repeated`: sent once more for that
    reason; `rejected`: refused by the API, and `reason` is the first it gave.
    """

    posted: int = 0
    deleted: int = 0
    overtaken: int = 0
    repeated: int = 0
    rejected: int = 0
    reason: str = ""


class Plan:
    """The batches of one app. `limit` is the most records that a request takes."""

    def __init__(
        self, stream: SinkStream, found: Difference, words: Mapping[str, Word], limit: int = 1000
    ) -> None:
        assert stream.deletions is not None  # noqa: S101  (only such streams are reconciled)
        [self._field] = stream.identity
        self._operations = {False: stream.operation, True: stream.deletions.operation}
        self._limit = limit
        self._queue: deque[list[Item]] = deque()
        self.tally = Tally()
        present = {**found.adds, **found.changes}
        self._enqueue(Item(who, doc, words.get(who)) for who, doc in present.items())
        self._enqueue(
            Item(who, Deletion({self._field: doc[self._field]}), words.get(who))
            for who, doc in found.leavers.items()
        )

    def take(self, words: Mapping[str, Word]) -> list[Item]:
        """The next batch, without what the topic, read anew, says something newer of; empty at the end."""
        while self._queue:
            if batch := self._unchanged(self._queue.popleft(), words):
                for item in batch:
                    item.sent = True
                return batch
        return []

    def leave_rest(self) -> None:
        """Gives up what was never sent; what was may still have to go out again."""
        rest = [[item for item in batch if item.sent] for batch in self._queue]
        self._queue = deque(batch for batch in rest if batch)

    def operation(self, batch: Sequence[Item]) -> Operation:
        """The API call for a batch, all of whose records are of one kind."""
        return self._operations[isinstance(batch[0].doc, Deletion)]

    def again(self, batch: list[Item]) -> None:
        """Puts a batch back that the API may not have taken."""
        self._queue.appendleft(batch)

    def accepted(self, batch: list[Item], words: Mapping[str, Word], ends: Mapping[int, int]) -> None:
        """Notes what the API took; `ends` are the topic's ends after that, and `words` reach up to there."""
        if isinstance(batch[0].doc, Deletion):
            self.tally.deleted += len(batch)
        else:
            self.tally.posted += len(batch)
        self._unchanged([item for item in batch if not _behind(words.get(item.identity), ends)], words)

    def rejected(self, batch: list[Item], outcome: Rejected) -> None:
        """Drops the records that the API names, or the only one; else halves the batch to find them."""
        bad = {item.index for item in outcome.items if 0 <= item.index < len(batch)}
        if outcome.whole or len(batch) == 1:
            bad = set(range(len(batch)))
        if bad:
            self.tally.rejected += len(bad)
            self.tally.reason = self.tally.reason or outcome.reason
            parts = [[item for index, item in enumerate(batch) if index not in bad]]
        else:
            parts = [batch[: len(batch) // 2], batch[len(batch) // 2 :]]
        self._queue.extendleft(part for part in reversed(parts) if part)

    def _unchanged(self, batch: list[Item], words: Mapping[str, Word]) -> list[Item]:
        """Parts from a batch what the topic has said something newer of; queues what the API may have."""
        changed = [item for item in batch if _place(words.get(item.identity)) != _place(item.word)]
        again = [item for item in changed if item.sent]
        self.tally.repeated += len(again)
        self.tally.overtaken += len(changed) - len(again)
        self._enqueue(self._newest(item.identity, words[item.identity]) for item in again)
        moved = {item.identity for item in changed}
        return [item for item in batch if item.identity not in moved]

    def _newest(self, identity: str, word: Word) -> Item:
        doc = Deletion({self._field: identity}) if word.doc is None else word.doc
        return Item(identity, doc, word, sent=True)

    def _enqueue(self, items: Iterable[Item]) -> None:
        kinds: dict[bool, list[Item]] = {False: [], True: []}
        for item in items:
            kinds[isinstance(item.doc, Deletion)].append(item)
        for kind in kinds.values():
            self._queue.extend(kind[at : at + self._limit] for at in range(0, len(kind), self._limit))


def batch_key(run: str, operation: Operation, batch: Iterable[Item]) -> str:
    """The `Idempotency-Key`: the same for the same records tried again, and never that of another run.

    Another run may have to delete the same person once more, which is not the same request.
    """
    digest = blake2b(f"{run} {operation}".encode(), digest_size=16)
    for item in batch:
        digest.update(f" {item.identity} {_place(item.word)}".encode())
    return digest.hexdigest()


def _behind(word: Word | None, ends: Mapping[int, int]) -> bool:
    """Whether a word was said after these ends were asked for."""
    return word is not None and word.offset >= ends.get(word.partition, 0)


def _place(word: Word | None) -> tuple[int, int] | None:
    return None if word is None else (word.partition, word.offset)

"""A topic as the engine's any-order tests play it: what was produced, read and committed."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from bridge.core.engine import Engine
from bridge.core.record import Decoded, Refused
from tests.core.records import At

PARTITIONS = (0, 1, 2)


@dataclass(frozen=True)
class Produced:
    """One record of the topic; what stands in one that is not readable, the engine never learns."""

    at: At
    app: str
    doc: dict[str, Any]
    readable: bool

    @property
    def partition(self) -> int:
        return self.at.partition()

    @property
    def offset(self) -> int:
        return self.at.offset()


class Topic:
    """`position` is where the next poll reads on, `committed` where a new owner would."""

    def __init__(self) -> None:
        self.log: dict[int, list[Produced]] = {partition: [] for partition in PARTITIONS}
        self.position = dict.fromkeys(PARTITIONS, 0)
        self.committed = dict.fromkeys(PARTITIONS, 0)

    def produce(
        self, partition: int, doc: dict[str, Any], hole: int, app: str = "a", readable: bool = True
    ) -> None:
        """Puts a record behind a hole of so many offsets."""
        log = self.log[partition]
        offset = log[-1].offset + 1 + hole if log else hole
        log.append(Produced(At((partition, offset)), app, doc, readable))

    def poll(self, most: Mapping[int, int]) -> Decoded:
        """Up to so many records of each of these partitions."""
        batch = Decoded()
        for partition, limit in most.items():
            for record in [r for r in self.log[partition] if r.offset >= self.position[partition]][:limit]:
                self.position[partition] = record.offset + 1
                if record.readable:
                    batch.origins.append(record.at)
                    batch.apps.append(record.app)
                    batch.docs.append(dict(record.doc))
                    batch.sizes.append(10)
                else:
                    batch.refused.append(Refused(record.at, "invalid", "it is wrong"))
        return batch

    def commit(self, engine: Engine) -> None:
        """Takes the offsets that the engine allows."""
        offsets = engine.offsets.to_commit()
        self.committed.update(offsets)
        engine.offsets.committed(offsets)

    def rewind(self, partitions: Iterable[int] = PARTITIONS) -> None:
        """A new owner reads these on from what is committed."""
        self.position.update({partition: self.committed[partition] for partition in partitions})

    def readable(self) -> Iterator[Produced]:
        """All records that can be read."""
        return (record for log in self.log.values() for record in log if record.readable)

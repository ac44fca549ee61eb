"""What a topic says, read in a thread of its own, so that the event loop goes on beside it."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar, TypeVarTuple

from bridge.kafka.last_words import LastWords, Words
from bridge.kafka.topic_reader import TopicReader
from bridge.reconcile.objection import TopicFacts

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class TopicSide:
    """The last words of a topic, kept up with it by `catch_up`. `connect` gives the topic to read."""

    def __init__(self, name: str, connect: Callable[[], TopicReader], words: LastWords) -> None:
        self._name = name
        self._connect = connect
        self._words = words
        self._topic: TopicReader | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"whole-{name}")

    async def __aenter__(self) -> Self:
        try:
            await self._call(self._open)
        except BaseException:
            self._end()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    async def catch_up(self) -> dict[int, int]:
        """Reads up to the end of the topic at this moment, from its beginning the first time.

        Returns the end offsets that were this moment's; a little more may have been read.

        Raises:
            BridgeError: the end cannot be reached, or a schema cannot be had.
        """
        return await self._call(self._read)

    def words(self, app: str) -> Words:
        """The last words about an app's records, as of the last `catch_up`."""
        return self._words.of(app)

    @property
    def apps(self) -> list[str]:
        """The apps that the topic has words about, as of the last `catch_up`."""
        return self._words.apps

    def facts(self, app: str) -> TopicFacts:
        """What tells whether the topic has all of an app's records, as of the last `catch_up`."""
        present = sum(word.doc is not None for word in self._words.of(app).values())
        return TopicFacts(self._name, self._policy, self._removed, self._words.refused(app), present)

    async def _call(self, function: Callable[[*Ts], T], *args: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)

    def _open(self) -> None:
        self._topic = self._connect()
        self._removed = self._topic.removed()
        self._policy = self._topic.cleanup_policy()

    def _read(self) -> dict[int, int]:
        assert self._topic is not None  # noqa: S101  (it is open)
        ends = self._topic.ends()
        for messages in self._topic.unread(ends):
            self._words.add(messages)
        return ends

    def _end(self) -> None:
        if self._topic is not None:
            self._topic.stop()  # a reading that was given up may still be under way
        # Behind that reading, and not waited for: the way out of a stopping process is not to be held up.
        self._thread.submit(self._close)
        self._thread.shutdown(wait=False)

    def _close(self) -> None:
        if self._topic is not None:
            self._topic.close()

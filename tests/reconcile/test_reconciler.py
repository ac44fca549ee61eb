"""The reconciler reads the API before the topic, and stops deleting once a record cannot be read."""

from collections.abc import Sequence

import pytest
from confluent_kafka import Producer

from bridge.core.backoff import Backoff
from bridge.core.errors import BridgeError
from bridge.core.outcome import Accepted, Denied, Outcome
from bridge.core.record import Doc
from bridge.core.stream import Operation
from bridge.kafka import serde, topics
from bridge.kafka.deletion_keys import named_app
from bridge.kafka.last_words import LastWords
from bridge.kafka.topic_reader import TopicReader
from bridge.reconcile.objection import Allowance
from bridge.reconcile.reconciler import Interrupted, Reconciler
from bridge.reconcile.topic_side import TopicSide
from bridge.streams.users import USERS
from tests.kafka_broker.broker import Broker
from tests.kafka_broker.cluster import Cluster

pytestmark = pytest.mark.anyio
EVERYTHING = Allowance(1.0)


class Register:
    """An API that holds one app's users, and a producer that acts at chosen moments of its calls."""

    def __init__(self, kafka: Cluster[Broker], *held: str) -> None:
        self.topic = kafka.create_topic("users")
        self.users = set(held)
        self.after_listing: list[tuple[str, bytes | None]] = []
        self.during_call: list[tuple[str, bytes | None]] = []
        self.answers: list[Outcome] = []
        self._bootstrap = kafka.bootstrap
        described = topics.overridden(topics.load_all()["users"], {"format": "json"})
        words = LastWords(USERS, serde.decoder(USERS, described), lambda key: named_app(key, {}))
        settings = {"bootstrap.servers": kafka.bootstrap}
        self.side = TopicSide(self.topic, lambda: TopicReader(settings, self.topic, "register"), words)

    def say(self, said: list[tuple[str, bytes | None]]) -> None:
        """Puts these on the topic, and does at once what a sink would do with them."""
        producer = Producer({"bootstrap.servers": self._bootstrap})
        for who, value in said:
            producer.produce(self.topic, value, f"crm/{who}".encode())
            if value is None:
                self.users.discard(who)
            elif value.startswith(b"{"):
                self.users.add(who)
        assert producer.flush(30) == 0
        said.clear()

    async def held(self, app: str) -> list[Doc]:
        listed: list[Doc] = [{"email": who} for who in sorted(self.users)]
        self.say(self.after_listing)
        return listed

    async def publish(self, operation: Operation, app: str, docs: Sequence[Doc], key: str) -> Outcome:
        self.say(self.during_call)
        if self.answers:
            return self.answers.pop(0)
        who = {doc["email"] for doc in docs}
        self.users = self.users - who if operation is Operation.DELETE_USERS else self.users | who
        return Accepted()

    def reconciler(self) -> Reconciler:
        return Reconciler(USERS, self.side, self.held, self, Backoff(1.0, 1.0))


def user(who: str) -> tuple[str, bytes]:
    return who, f'{{"app": "crm", "email": "{who}"}}'.encode()


async def test_whom_the_sink_adds_while_we_look_is_no_leaver(mock_kafka: Cluster[Broker]) -> None:
    register = Register(mock_kafka)
    register.say([user("old@example.com")])
    register.after_listing = [user("new@example.com")]
    async with register.side:
        found = (await register.reconciler().compare("crm", EVERYTHING)).found
    assert found.counts == {"adds": 1, "changes": 0, "leavers": 0}


async def test_whom_we_delete_while_coming_back_is_there_in_the_end(mock_kafka: Cluster[Broker]) -> None:
    register = Register(mock_kafka, "back@example.com", "gone@example.com")
    register.say([user("old@example.com")])
    async with register.side:
        reconciler = register.reconciler()
        comparison = await reconciler.compare("crm", EVERYTHING)
        assert len(comparison.found.leavers) == 2
        register.during_call = [user("back@example.com")]
        tally = await reconciler.apply(comparison)
    assert register.users == {"old@example.com", "back@example.com"}
    assert (tally.deleted, tally.posted, tally.repeated) == (2, 1, 1)


async def test_what_cannot_be_read_ends_it_but_not_before_all_is_put_right(
    mock_kafka: Cluster[Broker],
) -> None:
    register = Register(mock_kafka, "back@example.com")
    register.say([user("old@example.com")])
    async with register.side:
        reconciler = register.reconciler()
        comparison = await reconciler.compare("crm", EVERYTHING)
        register.during_call = [user("back@example.com"), ("x@example.com", b"not json")]
        with pytest.raises(Interrupted):
            await reconciler.apply(comparison)
    assert register.users == {"old@example.com", "back@example.com"}


async def test_refused_credentials_end_it(mock_kafka: Cluster[Broker]) -> None:
    register = Register(mock_kafka, "gone@example.com")
    register.say([user("old@example.com")])
    register.answers = [Denied(403, "no")]
    async with register.side:
        reconciler = register.reconciler()
        comparison = await reconciler.compare("crm", EVERYTHING)
        with pytest.raises(BridgeError, match="refuses our credentials: no"):
            await reconciler.apply(comparison)
    assert "gone@example.com" in register.users


async def test_what_is_objected_to_is_not_applied(mock_kafka: Cluster[Broker]) -> None:
    register = Register(mock_kafka, "gone@example.com")
    async with register.side:
        reconciler = register.reconciler()
        comparison = await reconciler.compare("crm", EVERYTHING)
        with pytest.raises(ValueError, match="objection"):
            await reconciler.apply(comparison)
    assert register.users == {"gone@example.com"}

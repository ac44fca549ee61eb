"""Beside a sink at work, in any order of events, the API ends with what the topic says last."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.core.outcome import ItemError, Rejected
from bridge.core.record import Deletion, Doc
from bridge.core.stream import Operation
from bridge.kafka.last_words import Word
from bridge.reconcile.difference import Difference, difference
from bridge.reconcile.plan import Item, Plan, batch_key
from bridge.streams import SINKS

[STREAM] = [stream for stream in SINKS.values() if stream.deletions]
PEOPLE = [f"u{n}@example.com" for n in range(3)]

Said = tuple[str, str | None]


def doc_of(who: str, role: str) -> Doc:
    return {"email": who, "role": role}


class World:
    """A topic, a sink that delivers it in order but late, an API, and a plan that works beside the sink."""

    def __init__(self, held: dict[str, str], topic: list[Said], delivered: int) -> None:
        self.api = dict(held)
        self.topic: list[Said] = []
        self.delivered = 0
        for said in topic:
            self.topic.append(said)
        while self.delivered < min(delivered, len(topic)):
            self.deliver()

    def deliver(self) -> None:
        """The sink's next record reaches the API."""
        if self.delivered < len(self.topic):
            self.write(*self.topic[self.delivered])
            self.delivered += 1

    def write(self, who: str, role: str | None) -> None:
        if role is None:
            self.api.pop(who, None)
        else:
            self.api[who] = role

    def words(self) -> dict[str, Word]:
        """A reading of the whole topic."""
        return {
            who: Word(None if role is None else doc_of(who, role), 0, offset, 0)
            for offset, (who, role) in enumerate(self.topic)
        }

    def held(self) -> dict[str, Doc]:
        return {who: doc_of(who, role) for who, role in self.api.items()}

    def send(self, batch: list[Item]) -> None:
        for item in batch:
            self.write(item.doc["email"], None if isinstance(item.doc, Deletion) else item.doc["role"])

    def last(self) -> dict[str, str]:
        return {who: role for who, role in dict(self.topic).items() if role is not None}


CHANGES = st.tuples(st.sampled_from(PEOPLE), st.sampled_from([None, "a", "b", "c"]))
ANSWERS = ("accepted", "lost after", "lost before")


@settings(max_examples=400)
@given(
    held=st.dictionaries(st.sampled_from(PEOPLE), st.sampled_from(["a", "b", "old"])),
    topic=st.lists(CHANGES, max_size=8),
    delivered=st.integers(0, 8),
    limit=st.integers(1, 4),
    data=st.data(),
)
def test_the_topic_has_the_last_word(
    held: dict[str, str], topic: list[Said], delivered: int, limit: int, data: st.DataObject
) -> None:
    world = World(held, topic, delivered)

    def meanwhile() -> None:
        """The world goes on: records come, and the sink delivers some of them or all."""
        world.topic += data.draw(st.lists(CHANGES, max_size=2))
        for _ in range(data.draw(st.sampled_from([0, 1, len(world.topic)]))):
            world.deliver()

    api_side = world.held()
    meanwhile()
    words = world.words()
    wanted = {who: word.doc for who, word in words.items() if word.doc is not None}
    plan = Plan(STREAM, difference(wanted, api_side, "email"), words, limit)
    taken: list[Item] = []
    while True:
        meanwhile()
        ends = {0: len(world.topic)}
        if data.draw(st.booleans()):
            meanwhile()  # a little more may be read than up to the end that was asked for
        words = world.words()
        if taken:
            plan.accepted(taken, words, ends)
        batch, taken = plan.take(words), []
        if not batch:
            break
        assert len(batch) <= limit
        assert len({isinstance(item.doc, Deletion) for item in batch}) == 1
        meanwhile()
        answer = data.draw(st.sampled_from(ANSWERS)) if len(world.topic) < 40 else "accepted"
        if answer != "lost before":
            world.send(batch)
        if answer == "accepted":
            taken = batch
        else:
            plan.again(batch)
    while world.delivered < len(world.topic):
        world.deliver()
    assert world.api == world.last()


def leaving(*people: str) -> Difference:
    return Difference(leavers={who: {"email": who} for who in people})


def test_whom_the_topic_says_something_newer_of_is_left_to_the_sink() -> None:
    plan = Plan(STREAM, leaving("ada", "bob"), {})
    batch = plan.take({"ada": Word(doc_of("ada", "back"), 0, 7, 0)})
    assert [item.identity for item in batch] == ["bob"]
    assert plan.tally.overtaken == 1


def test_who_was_deleted_while_coming_back_is_sent_again() -> None:
    plan = Plan(STREAM, leaving("ada"), {})
    batch = plan.take({})
    assert plan.operation(batch) == Operation.DELETE_USERS
    back = {"ada": Word(doc_of("ada", "back"), 0, 7, 0)}
    plan.accepted(batch, back, {0: 8})
    batch = plan.take(back)
    assert plan.operation(batch) == Operation.PUBLISH_USERS
    assert [item.doc for item in batch] == [doc_of("ada", "back")]
    plan.accepted(batch, back, {0: 8})
    assert plan.take(back) == []
    assert (plan.tally.deleted, plan.tally.posted, plan.tally.repeated) == (1, 1, 1)


def test_what_is_said_after_the_answer_is_left_to_the_sink() -> None:
    plan = Plan(STREAM, leaving("ada"), {})
    batch = plan.take({})
    plan.accepted(batch, back := {"ada": Word(doc_of("ada", "back"), 0, 7, 0)}, {0: 7})
    assert plan.take(back) == []


def test_what_was_never_sent_can_be_given_up_and_the_rest_not() -> None:
    plan = Plan(STREAM, leaving("ada", "bob"), {}, limit=1)
    batch = plan.take({})
    plan.again(batch)
    plan.leave_rest()
    assert [item.identity for item in plan.take({})] == ["ada"]
    assert plan.take({}) == []


def drained(plan: Plan, bad: set[str], **said: Any) -> int:
    """Plays an API that rejects these people; returns how many requests it took."""
    requests = 0
    while batch := plan.take({}):
        requests += 1
        named = [index for index, item in enumerate(batch) if item.identity in bad]
        if not named:
            plan.accepted(batch, {}, {})
            continue
        items = tuple(ItemError(index, "bad") for index in named) if said.get("per_item") else ()
        plan.rejected(batch, Rejected(400, "no good", items, whole=said.get("whole", False)))
    return requests


def test_rejected_records_are_counted_and_their_neighbours_go() -> None:
    people = [f"u{n}" for n in range(100)]
    for said, requests in (({"per_item": True}, 2), ({}, 15), ({"whole": True}, 1)):
        plan = Plan(STREAM, leaving(*people), {})
        assert drained(plan, {"u42"}, **said) == requests
        rejected = 100 if "whole" in said else 1
        assert (plan.tally.rejected, plan.tally.deleted) == (rejected, 100 - rejected)
        assert plan.tally.reason == "no good"


def test_a_key_is_that_of_the_same_records_tried_again_only() -> None:
    one, other = Item("ada", doc_of("ada", "a"), None), Item("bob", doc_of("bob", "b"), None)
    later = Item("ada", doc_of("ada", "a"), Word(None, 0, 1, 0))
    publish, delete = Operation.PUBLISH_USERS, Operation.DELETE_USERS
    assert batch_key("run", publish, [one, other]) == batch_key("run", publish, [one, other])
    keys = [
        batch_key("run", publish, [one, other]),
        batch_key("run", publish, [one]),
        batch_key("run", publish, [later]),
        batch_key("run", delete, [one]),
        batch_key("next run", publish, [one]),
    ]
    assert len(set(keys)) == len(keys)

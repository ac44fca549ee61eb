"""The last word per user and app, and the records that stand in the way of relying on it."""

from typing import Any

from confluent_kafka import Message

from bridge.kafka import serde, topics
from bridge.kafka.deletion_keys import named_app
from bridge.kafka.last_words import LastWords
from bridge.streams.users import USERS
from tests.kafka.records import json_values


class Topic:
    """Builds the messages of a topic one by one, each behind the last of its partition."""

    def __init__(self, apps: list[str] | None = None, names: dict[str, str] | None = None) -> None:
        described = topics.overridden(topics.load_all()["users"], {"format": "json"})
        self.names = names or {}
        decoder = serde.decoder(USERS, described, names=self.names)
        self.words = LastWords(USERS, decoder, lambda key: named_app(key, self.names), apps)
        self._ends: dict[int, int] = {}

    def message(
        self, key: str | None, record: Any, partition: int = 0, millis: int = 1, app: str = "crm"
    ) -> Message:
        offset = self._ends.get(partition, 0)
        self._ends[partition] = offset + 1
        if isinstance(record, dict):
            [record] = json_values({"app": app, **record})
        return Message(
            topic="users",
            partition=partition,
            offset=offset,
            key=None if key is None else key.encode(),
            value=record,
            timestamp=(1, millis),
        )

    def says(self, key: str | None, record: Any, **where: Any) -> "Topic":
        self.words.add([self.message(key, record, **where)])
        return self

    def present(self, app: str = "crm") -> dict[str, Any]:
        return {who: word.doc and word.doc.get("role") for who, word in self.words.of(app).items()}


def user(role: str = "", email: str = "ada@example.com") -> dict[str, Any]:
    return {"email": email, "role": role}


KEY = "crm/ada@example.com"


def test_the_last_word_counts_whatever_the_spelling() -> None:
    topic = Topic().says(KEY, user("old")).says(KEY, user("new", "ADA@Example.com"))
    assert topic.present() == {"ada@example.com": "new"}
    assert topic.says("crm/Ada@example.com", None).present() == {"ada@example.com": None}
    assert topic.says(KEY, user("back")).present() == {"ada@example.com": "back"}


def test_also_within_one_chunk() -> None:
    topic = Topic()
    topic.words.add([topic.message(KEY, user("a")), topic.message(KEY, None), topic.message(KEY, user("b"))])
    assert topic.present() == {"ada@example.com": "b"}


def test_where_a_user_moved_to_another_partition_the_later_time_counts() -> None:
    for order in ((0, 1), (1, 0)):
        topic = Topic()
        for partition in order:
            topic.says(KEY, user(f"of {partition}"), partition=partition, millis=10 + partition)
        assert topic.present() == {"ada@example.com": "of 1"}
    # Within a partition the order counts, whatever clock the producer had.
    topic = Topic().says(KEY, user("first"), millis=9).says(KEY, user("second"), millis=8)
    assert topic.present() == {"ada@example.com": "second"}


def test_apps_are_told_apart_by_id_and_only_those_wanted_are_kept() -> None:
    topic = Topic(names={"CRM": "id-1"})
    topic.says("CRM/ada@example.com", user("in crm"), app="CRM")
    topic.says("wiki/ada@example.com", user("in wiki"), app="wiki")
    assert topic.words.apps == ["id-1", "wiki"]
    assert topic.present("id-1") == {"ada@example.com": "in crm"}
    wanted = Topic(apps=["wiki"]).says(KEY, user()).says("wiki/a@b.c", user("x", "a@b.c"), app="wiki")
    assert wanted.words.apps == ["wiki"]


def test_a_record_that_cannot_be_read_counts_against_its_app_and_one_without_app_against_all() -> None:
    topic = Topic(names={"Wiki": "id-2"}).says(KEY, b"not json")
    assert (topic.words.refused("crm"), topic.words.refused("wiki")) == (1, 0)
    topic.says("Wiki/ada@example.com", b"not json")
    assert (topic.words.refused("id-2"), topic.words.refused("Wiki")) == (1, 0)
    topic.says("no slash", b"not json")
    assert (topic.words.refused("crm"), topic.words.refused("id-2"), topic.words.refused("x")) == (2, 2, 1)
    assert topic.says(None, b"not json").words.refused("x") == 2


def test_a_later_word_with_the_same_key_heals_it() -> None:
    topic = Topic().says(KEY, b"not json").says("crm/bob@example.com", user("", "bob@example.com"))
    assert topic.words.refused("crm") == 1
    assert topic.says(KEY, user()).words.refused("crm") == 0
    assert topic.says(KEY, b"not json").words.refused("crm") == 1
    assert topic.says(KEY, None).words.refused("crm") == 0
    # A key that names nobody can be taken back too, though its deletion cannot be read either.
    assert topic.says("no slash", b"not json").words.refused("crm") == 1
    assert topic.says("no slash", None).words.refused("crm") == 0


def test_an_earlier_word_in_the_same_chunk_does_not_heal_it() -> None:
    topic = Topic()
    topic.words.add([topic.message(KEY, user()), topic.message(KEY, b"not json")])
    assert topic.words.refused("crm") == 1
    topic = Topic()
    topic.words.add([topic.message(KEY, b"not json"), topic.message(KEY, user())])
    assert topic.words.refused("crm") == 0


def test_a_deletion_that_names_nobody_hides_nobody() -> None:
    assert Topic().says("no slash", None).words.refused("crm") == 0

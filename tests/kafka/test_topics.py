"""Topic descriptions are read strictly, and the configuration may change them."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.core.errors import ConfigError, SchemaError
from bridge.kafka.topics import (
    AppSource,
    DeadLetters,
    OutputTopic,
    Parked,
    Topic,
    WireFormat,
    load,
    load_all,
    load_output,
    load_outputs,
    overridden,
    overridden_output,
)
from bridge.resources import folder

USAGE = yaml.safe_load((folder("topics") / "usage.yaml").read_text())
APPS = yaml.safe_load((folder("topics") / "apps.yaml").read_text())


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "usage.yaml"
    path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return path


def test_a_description_is_read_as_written(tmp_path: Path) -> None:
    topic = load(written(tmp_path, {**USAGE, "dead_letters": {"topic": "dead"}}))
    assert topic == Topic.model_validate(
        {
            "stream": "usage",
            "topic": "productiv.usage",
            "format": WireFormat.AVRO,
            "schema": "usage.avsc",
            "app": AppSource.model_validate({"from": "field", "name": "app"}),
            "partitions": 6,
            "retention_hours": 168,
            "cleanup": "delete",
            "dead_letters": DeadLetters(topic="dead", partitions=1, retention_hours=720),
            "parked": Parked(topic="productiv.usage.parked", partitions=12, retention_hours=8760),
        }
    )
    assert topic.schema_path == folder("schemas") / "usage.avsc"


def test_a_schema_may_be_anywhere(tmp_path: Path) -> None:
    assert (
        overridden(load_all()["usage"], {"schema": str(tmp_path / "my.avsc")}).schema_path
        == tmp_path / "my.avsc"
    )


WITHOUT_TOPIC = {key: value for key, value in USAGE.items() if key != "topic"}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("a: [", "cannot be read"),
        ("- usage", "should be a valid dictionary"),
        (WITHOUT_TOPIC, "topic: is missing"),
        (
            {**USAGE, "partitons": 3},
            "partitons: is no key of a topic description; did you mean 'partitions'?",
        ),
        (
            {**USAGE, "zzz": 3},
            "zzz: is no key of a topic description; it has stream, topic, format, schema, app",
        ),
        (
            {**USAGE, "app": {"from": "key", "nam": "x"}},
            "app.nam: is no key of a topic description; did you mean",
        ),
        (
            {**USAGE, "app": {"form": "key"}},
            "app.from: is missing; app.form: is no key of a topic description; did",
        ),
        (
            {**USAGE, "dead_letters": {"topc": "x"}},
            "dead_letters.topic: is missing; dead_letters.topc: is no key",
        ),
        ({**USAGE, "format": "xml"}, "format: should be 'json', 'avro' or 'avro_registry'"),
        ({**USAGE, "partitions": "6"}, "partitions: should be a valid integer"),
        ({**USAGE, "partitions": 0}, "partitions: should be greater than or equal to 1"),
        ({**USAGE, "retention_hours": 0}, "retention_hours: should be greater than or equal to 1"),
        ({**USAGE, "cleanup": "never"}, "cleanup: should be 'delete' or 'compact'"),
        ({**USAGE, "topic": "a b"}, "topic: String should match pattern"),
        ({**USAGE, "topic": ".."}, "topic: String should match pattern"),
        ({**USAGE, "topic": "t" * 250}, "topic: String should have at most 249"),
        ({**USAGE, "dead_letters": {"topic": USAGE["topic"]}}, "dead_letters.topic is the topic itself"),
        (
            {**USAGE, "parked": {"topic": USAGE["dead_letters"]["topic"]}},
            "parked.topic must be a topic of its own",
        ),
        ({**USAGE, "app": {"from": "header"}}, "app: `from: header` needs `name`, the name of the header"),
        ({**USAGE, "app": {"from": "field"}}, "app: `from: field` needs `name`"),
        ({**USAGE, "app": {"from": "constant"}}, "app: `from: constant` needs `value`"),
        ({**USAGE, "stream": "users"}, "describes stream 'users'; name the file users.yaml"),
    ],
)
def test_what_is_no_description_is_refused_by_file_and_key(tmp_path: Path, content: Any, why: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(SchemaError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert why in str(refused.value)


TAGS = [f"!!{kind} " for kind in ("int", "float", "timestamp", "binary", "set", "omap", "python/name:os")]
SYNTAX = [
    "\n",
    "\n  ",
    ": ",
    "- ",
    "&a ",
    "*a",
    "<<: ",
    "? ",
    "%YAML ",
    "---",
    "\0",
    "2001-99-99",
    *"[]{}|'\"\\",
]
PIECES = st.lists(st.sampled_from([*TAGS, *SYNTAX, *USAGE]) | st.text(max_size=3), max_size=12).map("".join)


@given(st.binary(max_size=40) | PIECES.map(lambda text: text.encode(errors="surrogatepass")))
@example(b"[" * 3000)
@example(b"stream: 2001-99-99")
@example(b"partitions: !!int six")
@example(b"partitions: !!float x")
@example(b"!!timestamp x")
@example(b"partitions: " + b"9" * 5000)
@example(b'topic: "\\UFFFFFFFF"')
@example(b"partitions: !!int")
@example(b"partitions: !!bool x")
@example(b"\xff")
@example(b"a: &a [1]\nb: [*a, *a]")
@example(b"a: &a {x: 1}\nb: {<<: [*a, *a]}")
@example(b" " * 70_000)
def test_any_file_is_a_description_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("topics") / "usage.yaml"
    path.write_bytes(content)
    with pytest.raises(SchemaError) as refused:
        load(path)
    assert str(refused.value).startswith(f"{path}: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"usage\.yaml: cannot be read"):
        load(tmp_path / "usage.yaml")


def test_the_configuration_changes_what_it_names_and_nothing_else() -> None:
    before = load_all()["usage"]
    after = overridden(
        before,
        {
            "topic": "mine",
            "format": "json",
            "partitions": None,
            "app": {"from": "key", "name": None, "value": None},
            "dead_letters": {"topic": "mine.dead", "partitions": None},
        },
    )
    assert (after.topic, after.format, after.partitions) == ("mine", WireFormat.JSON, before.partitions)
    assert after.app == AppSource.model_validate({"from": "key"})
    assert after.dead_letters == DeadLetters(topic="mine.dead", partitions=1, retention_hours=720)
    assert before == load_all()["usage"]


def test_no_changes_change_nothing() -> None:
    topic = load_all()["usage"]
    assert overridden(topic, {"topic": None, "app": None, "dead_letters": {"topic": None}}) == topic


def test_a_change_that_does_not_fit_names_stream_and_key() -> None:
    with pytest.raises(
        ConfigError, match=r"topic of stream 'usage': dead_letters\.topic is the topic itself"
    ):
        overridden(load_all()["usage"], {"dead_letters": {"topic": "productiv.usage"}})


def test_a_stream_about_no_app_cannot_be_told_to_look_for_one() -> None:
    org_chart = load_all()["org_chart"]
    assert overridden(org_chart, {"topic": "mine", "app": None}).app.from_ == "none"
    with pytest.raises(ConfigError, match="stream 'org_chart': app: its records are about no app; remove it"):
        overridden(org_chart, {"app": {"from": "key"}})


def test_an_output_is_read_as_written() -> None:
    assert load_outputs()["apps"] == OutputTopic.model_validate(
        {
            "output": "apps",
            "source": "apps",
            "topic": "productiv.apps",
            "format": WireFormat.AVRO,
            "schema": "apps.avsc",
            "partitions": 1,
            "retention_hours": 168,
            "cleanup": "compact",
        }
    )


def test_each_description_is_of_one_kind() -> None:
    described = {path.stem for path in folder("topics").glob("*.yaml")}
    assert load_all().keys() | load_outputs().keys() == described
    assert not load_all().keys() & load_outputs().keys()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ({**APPS, "clenup": "compact"}, "clenup: is no key of a topic description; did you mean 'cleanup'?"),
        ({**APPS, "zzz": 1}, "zzz: is no key of a topic description; it has output, source, topic, format"),
        ({**APPS, "partitions": 0}, "partitions: should be greater than or equal to 1"),
        ({**APPS, "output": "workflows"}, "describes output 'workflows'; name the file workflows.yaml"),
    ],
)
def test_what_is_no_description_of_an_output_is_refused(tmp_path: Path, content: Any, why: str) -> None:
    path = tmp_path / "apps.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(SchemaError) as refused:
        load_output(path)
    assert str(refused.value).startswith(f"{path}: ")
    assert why in str(refused.value)


def test_the_configuration_changes_topic_and_format_of_an_output() -> None:
    before = load_outputs()["apps"]
    assert overridden_output(before, None, None) == before
    after = overridden_output(before, "mine", "json")
    assert (after.topic, after.format) == ("mine", WireFormat.JSON)
    assert overridden_output(after, before.topic, before.format) == before

"""All mistakes are told at once, each with its place; none is made up."""

import re

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from bridge.config.model import Settings
from bridge.config.shape import Keys, Path, Value, at, key_paths, shape_of
from bridge.streams import SINKS

from .conftest import ConfigFile

SHAPE = shape_of(Settings)
PATHS = sorted(key_paths(SHAPE))


def test_all_mistakes_are_told_at_once_in_the_order_of_the_file(file: ConfigFile) -> None:
    text = """\
http:
  port: x
  hots: a
log:
  level: loud
kafka:
  settings:
    acks: 1
sinks:
  usage:
    in_flight: 2
    in_flight_per_app: 3
    batch:
      max_records: 2000
    topic: a
    dead_letter_topic: a
    app: {from: field}
productiv:
  client_id: a
  client_id_file: b
"""
    assert file.mistakes(text, {"BRIDGE_LOG__FORMT": "json", "BRIDGE_KAFKA__CREATE_TOPICS": "perhaps"}) == [
        "bridge.yaml:2: http.port: 'x' is given, but a whole number is needed",
        "bridge.yaml:3: http.hots: unknown key; did you mean 'host'?",
        "bridge.yaml:5: log.level: 'loud' is given, but one of 'debug', 'info', 'warning' or 'error' is "
        "needed",
        "bridge.yaml:8: kafka.settings.acks: this cannot be set: a record counts as dead-lettered only "
        "when every "
        "replica acknowledged it, once; remove it",
        "bridge.yaml:12: sinks.usage.in_flight_per_app: in_flight_per_app (3) is more than in_flight (2); "
        "lower "
        "in_flight_per_app or raise in_flight",
        "bridge.yaml:14: sinks.usage.batch.max_records: '2000' is given, but at most 1000 is needed",
        "bridge.yaml:16: sinks.usage.dead_letter_topic: dead_letter_topic is the topic that is read, so "
        "dead letters "
        "would come back for ever; name another",
        "bridge.yaml:17: sinks.usage.app.from: from: field needs the field's name; set name",
        "bridge.yaml:20: productiv.client_id_file: client_id and client_id_file are both given; remove "
        "one of them",
        "environment variable BRIDGE_KAFKA__CREATE_TOPICS: kafka.create_topics: 'perhaps' is given, but "
        "true or false "
        "is needed",
        "environment variable BRIDGE_LOG__FORMT: there is no such setting; did you mean BRIDGE_LOG__FORMAT?",
    ]


def test_lines_are_in_order_of_number_not_of_text(file: ConfigFile) -> None:
    text = "http:\n  prt: 1\n" + "\n" * 10 + "log:\n  levl: 1\n"
    assert [message.split(": ")[0] for message in file.mistakes(text)] == ["bridge.yaml:2", "bridge.yaml:14"]


@pytest.mark.parametrize(
    "cause",
    ["in_flight: x", "in_fligt: 32", "in_flight: [1]", "in_flight:", "in_flight: {a: 1}", "in_flight: 2000"],
)
def test_a_rule_is_not_judged_by_a_default_that_stands_in_for_a_mistake(file: ConfigFile, cause: str) -> None:
    (message,) = file.mistakes(f"sinks:\n  usage:\n    {cause}\n    in_flight_per_app: 20\n")
    assert message.startswith("bridge.yaml:3: ")


def test_the_same_holds_for_a_misspelled_variable(file: ConfigFile) -> None:
    text = "sinks:\n  usage:\n    in_flight_per_app: 20\n"
    (message,) = file.mistakes(text, {"BRIDGE_SINKS__USAGE__IN_FLIHT": "32"})
    assert message.startswith("environment variable BRIDGE_SINKS__USAGE__IN_FLIHT: ")
    # Where the one that was meant is given as well, its value is no stand-in.
    environ = {"BRIDGE_SINKS__USAGE__IN_FLIHT": "32", "BRIDGE_SINKS__USAGE__IN_FLIGHT": "10"}
    assert len(file.mistakes(text, environ)) == 2


def test_what_is_given_is_judged_although_another_place_for_it_is_broken(file: ConfigFile) -> None:
    messages = file.mistakes("kafka: {settings: {acks: 1}}", {"BRIDGE_KAFKA__SETTINGS": "{"})
    assert [message.split(": ")[1] for message in messages] == ["kafka.settings.acks", "kafka.settings"]


def test_a_misspelling_of_a_key_that_is_there_as_well_hides_nothing(file: ConfigFile) -> None:
    messages = file.mistakes("sinks:\n  usage:\n    in_flight: 2\n  usag:\n    topic: a\n")
    assert [message.split(": ")[1] for message in messages] == ["sinks.usage.in_flight", "sinks.usag"]
    assert messages[1].endswith("did you mean 'usage'?")


def test_a_broken_rule_is_told_beside_a_broken_value_of_the_same_section(file: ConfigFile) -> None:
    messages = file.mistakes("sinks:\n  usage:\n    enabled: x\n    in_flight: 2\n")
    assert [message.split(": ")[1] for message in messages] == [
        "sinks.usage.enabled",
        "sinks.usage.in_flight",
    ]


def test_what_several_sinks_say_of_one_setting_is_told_once(file: ConfigFile) -> None:
    text = "productiv: {max_connections: 20}\nsinks:\n" + "".join(
        f"  {name}: {{in_flight: 20}}\n" for name in SINKS
    )
    assert file.load(text).productiv.max_connections == 20
    assert len(file.mistakes("productiv: {max_connections: 15}")) == 1


def test_a_key_that_is_needed(file: ConfigFile) -> None:
    assert file.mistakes("sinks:\n  usage:\n    app:\n      name: x\n") == [
        "bridge.yaml:3: sinks.usage.app.from: this key is needed here; add it"
    ]


def test_a_key_in_the_wrong_section_is_told_where_it_belongs(file: ConfigFile) -> None:
    guards = [f"sinks.{name}.flood_guard" for name in SINKS][:2]
    assert file.mistakes(
        "sinks: {usage: {max_records: 1}}\nclient_id: x\nkafka: {username: x}\nhttp: {flood_guard: {}}"
    ) == [
        "bridge.yaml:1: sinks.usage.max_records: unknown key here; did you mean "
        "sinks.usage.batch.max_records?",
        "bridge.yaml:2: client_id: unknown key here; did you mean productiv.client_id?",
        "bridge.yaml:3: kafka.username: unknown key here; did you mean schema_registry.username?",
        f"bridge.yaml:4: http.flood_guard: unknown key here; did you mean {' or '.join(guards)}?",
    ]


def test_a_key_like_none_is_told_all_that_there_are(file: ConfigFile) -> None:
    assert file.mistakes("log: {quux: 1}") == [
        "bridge.yaml:1: log.quux: unknown key; the keys here are format, level, repeat_seconds"
    ]


def test_a_long_value_is_told_in_part(file: ConfigFile) -> None:
    (message,) = file.mistakes(f"http: {{port: {'x' * 1000}}}")
    assert message == f"bridge.yaml:1: http.port: '{'x' * 40}' is given, but a whole number is needed"


LETTERS = "abcdefghijklmnopqrstuvwxyz_"


@st.composite
def misspellings(draw: st.DrawFn) -> tuple[Path, str]:
    """A key of the model, and its name with one letter more, less, different, or two swapped."""
    path = draw(st.sampled_from([path for path in PATHS if path[0] != "apps" or path[-1] != "names"]))
    key = path[-1]
    at_letter = draw(st.integers(0, len(key) - 1))
    letter = draw(st.sampled_from(LETTERS))
    wrong = draw(
        st.sampled_from(
            [
                key[:at_letter] + key[at_letter + 1 :],
                key[:at_letter] + letter + key[at_letter:],
                key[:at_letter] + letter + key[at_letter + 1 :],
                key[:at_letter] + key[at_letter + 1 : at_letter + 2] + key[at_letter] + key[at_letter + 2 :],
                key.replace("_", "-"),
                key.capitalize(),
            ]
        )
    )
    section = at(SHAPE, path[:-1])
    assert isinstance(section, Keys)
    assume(wrong not in section.keys)
    assume(yaml.safe_load(wrong or "~") == wrong)
    return path, wrong


@given(misspellings(), st.integers(0, 5))
def test_any_misspelling_of_any_key_is_refused_with_its_line_and_a_suggestion(
    tmp_path_factory: pytest.TempPathFactory, misspelling: tuple[Path, str], blank_lines: int
) -> None:
    path, wrong = misspelling
    text, line = _misspelled(path, wrong, blank_lines)
    (message,) = ConfigFile(tmp_path_factory.mktemp("config")).mistakes(text)
    place, name, what = message.split(": ")
    assert place == f"bridge.yaml:{line}"
    assert name == ".".join((*path[:-1], wrong))
    known = {key for other in PATHS for key in (other[-1], ".".join(other))}
    advice = re.fullmatch(
        r"unknown key( here)?; (did you mean (?P<near>.+)\?|the keys here are (?P<all>.+))", what
    )
    assert advice is not None
    if advice["near"]:
        assert set(advice["near"].replace("'", "").split(" or ")) <= known
    else:
        assert path[-1] in advice["all"].split(", ")


@pytest.mark.parametrize("path", [path for path in PATHS if len(path[-1]) > 4], ids=".".join)
def test_a_letter_left_out_of_a_long_key_suggests_the_key(file: ConfigFile, path: Path) -> None:
    wrong = path[-1][:2] + path[-1][3:]
    text, line = _misspelled(path, wrong)
    assert file.mistakes(text) == [
        f"bridge.yaml:{line}: {'.'.join((*path[:-1], wrong))}: unknown key; did you mean {path[-1]!r}?"
    ]


def _misspelled(path: Path, wrong: str, blank_lines: int = 0) -> tuple[str, int]:
    """A file with one misspelled key, and its line."""
    *sections, key = path
    lines = [f"{'  ' * depth}{section}:" for depth, section in enumerate(sections)]
    if sections and sections[-1] == "app" and key != "from":
        lines.append(f"{'  ' * len(sections)}from: key")  # never left out of this section
    lines += [*[""] * blank_lines, f"{'  ' * len(sections)}{wrong}: 1"]
    return "\n".join(lines), len(lines)


@pytest.mark.parametrize("path", PATHS, ids=".".join)
def test_an_impossible_value_of_any_setting_is_told_with_its_line(file: ConfigFile, path: Path) -> None:
    sections = [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    is_value = isinstance(at(SHAPE, path), Value)
    sections[-1] += " {x: 1}" if is_value else " 1"
    messages = file.mistakes("\n".join(sections))
    assert [m for m in messages if m.startswith(f"bridge.yaml:{len(path)}: {'.'.join(path)}: ")]
    # The app's other keys need `from` beside them.
    assert len(messages) == (2 if path[-2:] in (("app", "name"), ("app", "value")) else 1)

"""What a YAML file may hold, and what is said about one that holds something else."""

from pathlib import Path

import pytest

from bridge.config import load
from bridge.config.yaml_file import MAX_FILE_BYTES

from .conftest import ConfigFile, mistakes


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "---\n", "kafka:\n", "kafka:\n  settings:\n", "\ufeff"]
)
def test_an_empty_file_or_section_means_defaults(file: ConfigFile, text: str) -> None:
    assert file.load(text) == load(None, {})


def test_a_byte_order_mark_is_no_part_of_the_first_key(file: ConfigFile) -> None:
    assert file.load("\ufeffhttp: {port: 1}").http.port == 1


@pytest.mark.parametrize("text", ["007", "1_000", "1e5", "0x1F", "yes", "2024-01-01", "12:30", "3.10", "="])
def test_text_stays_as_it_was_written(file: ConfigFile, text: str) -> None:
    settings = file.load(f"productiv: {{client_id: {text}}}\nkafka: {{settings: {{client.id: {text}}}}}")
    assert settings.productiv.client_id == text
    assert settings.kafka.settings == {"client.id": text}


@pytest.mark.parametrize("text", ["true", "on", "yes", "True", "'true'"])
def test_a_switch_may_be_written_in_any_usual_way(file: ConfigFile, text: str) -> None:
    assert file.load(f"sinks: {{usage: {{enabled: {text}}}}}").sinks["usage"].enabled


@pytest.mark.parametrize("text", ["null", "~", ""])
def test_null_is_told_from_text(file: ConfigFile, text: str) -> None:
    assert file.load(f"productiv: {{client_id: {text} }}").productiv.client_id is None
    assert file.load("productiv: {client_id: 'null'}").productiv.client_id == "null"


def test_a_file_that_is_a_folder(tmp_path: Path) -> None:
    (message,) = mistakes(tmp_path, {})
    assert message.endswith("the configuration file cannot be read: Is a directory")


def test_a_file_that_is_too_long(file: ConfigFile) -> None:
    assert file.load("#" * MAX_FILE_BYTES) == load(None, {})
    assert file.mistakes("#" * (MAX_FILE_BYTES + 1)) == [
        "bridge.yaml: the configuration file is longer than 262144 bytes"
    ]


WRONG = {
    "not UTF-8": (b"http:\n  host: \xff\n", "bridge.yaml:2: this is not UTF-8 text; save the file as UTF-8"),
    "control character": (
        "http:\n  host: a\x00\n",
        "bridge.yaml:2: there is a control character here; remove it",
    ),
    "a list at the top": ("\n- a\n", "bridge.yaml:2: keys are needed at the top, such as 'kafka:'"),
    "a value at the top": ("hello", "bridge.yaml:1: keys are needed at the top, such as 'kafka:'"),
    "no colon": (
        "http:\n  port 1\n  host: a",
        "bridge.yaml:3: this is not valid YAML: mapping values are not allowed here",
    ),
    "a tab": (
        "http:\n\tport: 1",
        "bridge.yaml:2: this is not valid YAML: found character '\\t' that cannot start any token",
    ),
    "an open brace": (
        "http: {port: 1",
        "bridge.yaml:1: this is not valid YAML: expected ',' or '}', but got '<stream end>'",
    ),
    "two documents": (
        "http: {}\n---\nhttp: {}",
        "bridge.yaml:2: this is not valid YAML: but found another document",
    ),
    "an anchor": (
        "http: &x\n  port: 1",
        "bridge.yaml:1: anchors (&) and aliases (*) are not supported; write the value out, in quotes if "
        "it starts so",
    ),
    "an alias": (
        "http:\n  host: *x",
        "bridge.yaml:2: anchors (&) and aliases (*) are not supported; write the value out, in quotes if "
        "it starts so",
    ),
    "a tag": (
        "http:\n  host: !x a",
        "bridge.yaml:2: http.host: tags (!) are not supported; see bridge.example.yaml",
    ),
    "a list": (
        "http:\n  host: [a]",
        "bridge.yaml:2: http.host: no setting is a list; see bridge.example.yaml",
    ),
    "a key twice": (
        "http:\n  port: 1\n  host: a\n  port: 2",
        "bridge.yaml:4: http.port: this key is already given in line 2; remove one",
    ),
    "a section twice": (
        "http: {}\nlog: {}\nhttp: {}",
        "bridge.yaml:3: http: this key is already given in line 1; remove one",
    ),
    "a list as a key": ("http:\n  [a]: 1", "bridge.yaml:2: http: a key must be a single word"),
    "an impossible escape": (
        'http: {host: "\\UFFFFFFFF"}',
        "bridge.yaml: this is not valid YAML: an escape or version in it is out of range",
    ),
    "a merge": (
        "http:\n  <<: {port: 1}",
        "bridge.yaml:2: http.<<: unknown key; the keys here are enabled, host, port, metrics_apps",
    ),
    "nested too deeply": ("http: " + "{a: " * 5000, "bridge.yaml: this is nested too deeply"),
    "a value for a section": (
        "http: 1",
        "bridge.yaml:1: http: keys are needed here, not a single value: enabled, host, port, metrics_apps",
    ),
    "a value for names": (
        "apps: {names: x}",
        "bridge.yaml:1: apps.names: names with a value each are needed here, not a single value",
    ),
    "keys for a value": (
        "http:\n  port: {a: 1}",
        "bridge.yaml:2: http.port: a single value is needed here, not further keys",
    ),
    "keys for a raw setting": (
        "kafka: {settings: {ssl: {ca: x}}}",
        "bridge.yaml:1: kafka.settings.ssl: a single value is needed here, not further keys",
    ),
    "no value": ("http:\n  port:", "bridge.yaml:2: http.port: this has no value; give one or remove the key"),
    "no value for a name": (
        "apps: {names: {x: }}",
        "bridge.yaml:1: apps.names.x: this has no value; give one or remove the key",
    ),
}


@pytest.mark.parametrize(("content", "message"), WRONG.values(), ids=WRONG.keys())
def test_what_is_wrong_is_named_with_its_line(file: ConfigFile, content: str | bytes, message: str) -> None:
    assert file.mistakes(content) == [message]


def test_a_small_file_cannot_stand_for_a_huge_one(file: ConfigFile) -> None:
    laughs = "a: &a {x: 1}\n" + "".join(
        f"{b}: &{b} {{p: *{a}, q: *{a}}}\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    (message,) = file.mistakes(laughs)
    assert message.startswith("bridge.yaml:1: anchors")


def test_a_syntax_error_shows_nothing_of_the_file(file: ConfigFile) -> None:
    for broken in (
        '"hunter2\\x"',
        "!<hunter2",
        "%hunter2",
        "'hunter2",
        '"hunter2',
        "@hunter2",
        "*hunter2",
        "!hunter2 x",
    ):
        messages = file.mistakes(f"productiv:\n  client_secret: {broken}\n")
        assert "hunter2" not in "".join(messages), broken


def test_control_characters_in_a_key_do_not_reach_the_terminal(file: ConfigFile) -> None:
    (message,) = file.mistakes('"ht\\e[31m\\ntp": 1')
    assert message.startswith(
        "bridge.yaml:1: ht\N{REPLACEMENT CHARACTER}[31m\N{REPLACEMENT CHARACTER}tp: unknown key"
    )

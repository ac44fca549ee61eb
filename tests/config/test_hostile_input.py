"""Whatever stands in the file or the environment, loading ends in settings or in a ConfigError."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bridge.config.environment import variable_of
from bridge.config.layers import load_with_places
from bridge.config.model import Settings
from bridge.config.shape import key_paths, shape_of
from bridge.config.show import show
from bridge.core.errors import ConfigError

SHAPE = shape_of(Settings)
KEYS = sorted({key for path in key_paths(SHAPE) for key in path})
VARIABLES = sorted(variable_of(path, SHAPE) for path in key_paths(SHAPE))
SYNTAX = [
    ":",
    ": ",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    "{",
    "}",
    "[",
    "]",
    ",",
    "'",
    '"',
    "&a ",
    "*a",
    "!!",
    "! ",
    "? ",
    "|",
    ">",
    "<<",
    "%",
    "#",
    "\\",
    "\t",
    "---",
    "...",
]
pieces = st.lists(
    st.sampled_from(KEYS + SYNTAX) | st.text(max_size=3) | st.integers().map(str), max_size=30
).map("".join)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
)


def outcome(path: Path | None, environ: dict[str, str]) -> str:
    """The configuration as shown or the mistakes; any other exception is a failure."""
    try:
        return show(load_with_places(path, environ))
    except ConfigError as error:
        return str(error)


@hypothesis_settings(max_examples=300)
@given(st.binary(max_size=60) | pieces.map(lambda text: text.encode(errors="surrogatepass")))
@example(b'a: "\\UFFFFFFFF"')
@example(b'a: "\\ud800"')
@example(b'apps: {names: {"\\ud800": "\\ud800"}}')
@example(b'"\\ud800": 1')
@example(b"http: {port: " + b"9" * 5000 + b"}")
def test_any_file(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("config") / "bridge.yaml"
    path.write_bytes(content)
    text = outcome(path, {})
    assert text
    # It can be written to any terminal.
    assert text.encode()
    assert all(line.isprintable() for line in text.splitlines())


@hypothesis_settings(max_examples=300)
@given(
    st.dictionaries(
        st.sampled_from(VARIABLES) | st.from_regex(r"BRIDGE_[A-Za-z_]{0,12}", fullmatch=True),
        json_values.map(json.dumps) | st.text() | st.binary(max_size=5).map(os.fsdecode),
        max_size=4,
    )
)
@example({"BRIDGE_APPS__NAMES": '{"\\ud800": "\\ud800"}'})
@example({"BRIDGE_APPS__NAMES__\udcff": "\udcff"})
@example({"BRIDGE_KAFKA__SETTINGS__\udcff": "\udcff"})
@example({"BRIDGE_PRODUCTIV__CLIENT_SECRET": "\udcff"})
@example({"BRIDGE_PRODUCTIV__CLIENT_SECRET_FILE": "\udcff"})
@example({"BRIDGE_PRODUCTIV__CLIENT_SECRET_FILE": "\0"})
@example({"BRIDGE_CONFIG": "\0"})
def test_any_environment(environ: dict[str, str]) -> None:
    text = outcome(None, environ)
    assert text
    assert text.encode()
    assert all(line.isprintable() for line in text.splitlines())

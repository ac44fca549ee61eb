"""A record may be nested more deeply than what shows it can go."""

import json
from typing import Any

import orjson

from bridge.cli.plain import TOO_DEEP, json_line
from bridge.cli.tail import _line

DEEP: Any = orjson.loads(b"[" * 1000 + b"]" * 1000)


def test_a_record_nested_too_deeply_hides_nothing_else() -> None:
    for line in (json_line({"place": "0:1", "record": DEEP}), _line({"place": "0:1", "record": DEEP})):
        assert json.loads(line) == {"place": "0:1", "record": TOO_DEEP}


def test_any_other_is_shown() -> None:
    told = {"record": {"name": "Åda", "bytes": b"\xff"}}
    assert json_line(told) == '{"record": {"name": "Åda", "bytes": "b\'\\\\xff\'"}}'

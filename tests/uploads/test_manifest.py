"""The manifest is whole at any time, and nothing else passes for one."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.core.errors import BridgeError, ConfigError
from bridge.uploads.manifest import Manifest, Upload

UPLOAD = Upload("https://api.test", "7", "ü.csv", 3, "ab" * 32, "2026-01-01T00:00:00+00:00")
FIELDS = {
    "api": "https://api.test",
    "app": "7",
    "filename": "ü.csv",
    "size": 3,
    "sha256": "ab" * 32,
    "uploaded_at": "2026-01-01T00:00:00+00:00",
}


def test_an_upload_is_found_again_by_api_app_and_name(tmp_path: Path) -> None:
    path = tmp_path / "m.json"
    manifest = Manifest(path)
    assert manifest.find("https://api.test", "7", "ü.csv") is None
    manifest.add(UPLOAD)
    manifest.add(replace(UPLOAD, app="8"))
    newer = replace(UPLOAD, size=4)
    manifest.add(newer)
    again = Manifest(path)
    assert again.find("https://api.test", "7", "ü.csv") == newer
    for other in (
        ("http://sandbox", "7", "ü.csv"),
        ("https://api.test", "9", "ü.csv"),
        ("https://api.test", "7", "u"),
    ):
        assert again.find(*other) is None
    assert json.loads(path.read_text())["uploads"] == [{**FIELDS, "size": 4}, {**FIELDS, "app": "8"}]
    assert [each.name for each in tmp_path.iterdir()] == ["m.json"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"uploads": [{}]}',
        json.dumps({"uploads": [{**FIELDS, "size": "3"}]}),
        json.dumps({"uploads": [{**FIELDS, "more": 1}]}),
    ],
)
def test_what_is_no_manifest_is_refused_and_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "m.json"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"m\.json is no manifest of uploads"):
        Manifest(path)
    assert path.read_text() == text


def test_a_manifest_that_cannot_be_read_or_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"cannot read the manifest .*: Is a directory"):
        Manifest(tmp_path)
    with pytest.raises(BridgeError, match=r"cannot write the manifest .*m\.json: No such file or directory"):
        Manifest(tmp_path / "nowhere" / "m.json").add(UPLOAD)

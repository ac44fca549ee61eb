"""The output directory: nothing looks whole that is not, whenever the process ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bridge.core.errors import BridgeError, ConfigError
from bridge.export.output import Output
from bridge.export.part_file import PartFile

# Ends itself without a last word before its n-th step that changes the directory.
KILLED = """
import os, signal, sys
from pathlib import Path
from bridge.export.output import Output
from bridge.export.part_file import PartFile

folder, left = Path(sys.argv[1]), int(sys.argv[2])

def step(event, arguments):
    global left
    changes = event in ("os.rename", "os.remove") or event == "open" and set(arguments[1] or "") & set("xa")
    if changes and str(folder) in str(arguments[0]):
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

sys.addaudithook(step)
output = Output(folder)
with output.opened(overwrite=True):
    names = ["usage-a-0001.csv", "usage-b-0001.csv"]
    for name in names:
        PartFile(folder, name).append([b"new"])
    output.complete(names, b'{"of": "new"}')
"""
OLD = {
    "deletions.ndjson": "old",
    "usage-a-0001.csv": "old",
    "usage-c-0001.csv": "old",
    "manifest.json": '{"of": "old"}',
}


def held(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def fail(folder: Path, failure: BaseException, overwrite: bool = False) -> None:
    """An export that fails when it has begun a file."""
    with Output(folder).opened(overwrite):
        PartFile(folder, "usage-b-0001.csv").append([b"new"])
        raise failure


def export(folder: Path, overwrite: bool = False) -> None:
    output = Output(folder)
    with output.opened(overwrite):
        PartFile(folder, "usage-a-0001.csv").append([b"new"])
        output.complete(["usage-a-0001.csv"], b"{}")


def test_files_get_their_names_when_all_are_complete(tmp_path: Path) -> None:
    output = Output(tmp_path / "deep" / "er")
    with output.opened(False):
        PartFile(output.folder, "usage-a-0001.csv").append([b"a"])
        assert set(held(output.folder)) == {"usage-a-0001.csv.part", "manifest.json.part"}
        output.complete(["usage-a-0001.csv"], b"{}")
    assert held(output.folder) == {"usage-a-0001.csv": "a", "manifest.json": "{}"}


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        fail(tmp_path, KeyboardInterrupt())
    assert held(tmp_path) == {}


@pytest.mark.parametrize("name", ["manifest.json", "usage-crm-0001.csv", "usage-crm-0001.csv.part"])
def test_an_earlier_export_is_refused_and_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("old")
    with pytest.raises(ConfigError, match=rf"holds an earlier export, complete or not \({name}\)"):
        export(tmp_path)
    assert held(tmp_path) == {name: "old"}


def test_files_of_others_are_neither_refused_nor_touched(tmp_path: Path) -> None:
    others = {"notes.txt": "mine", "report-2025.csv": "mine"}
    for name, text in {**others, "usage-old-0001.csv": "old"}.items():
        (tmp_path / name).write_text(text)
    export(tmp_path, overwrite=True)
    assert held(tmp_path) == {**others, "usage-a-0001.csv": "new", "manifest.json": "{}"}


def test_an_earlier_export_stays_until_the_new_one_is_complete(tmp_path: Path) -> None:
    for name, text in OLD.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "usage-b-0001.csv.part").write_text("left over")
    with pytest.raises(ZeroDivisionError):
        fail(tmp_path, ZeroDivisionError(), overwrite=True)
    assert held(tmp_path) == OLD


def test_killed_at_any_step_it_never_shows_files_that_are_not_whole(tmp_path: Path) -> None:
    for step in range(1, 100):
        folder = tmp_path / str(step)
        folder.mkdir()
        for name, text in OLD.items():
            (folder / name).write_text(text)
        command = [sys.executable, "-c", KILLED, str(folder), str(step)]
        ended = subprocess.run(command, timeout=60, check=False).returncode
        shown = {name: text for name, text in held(folder).items() if not name.endswith(".part")}
        new = {"usage-a-0001.csv": "new", "usage-b-0001.csv": "new", "manifest.json": '{"of": "new"}'}
        if "manifest.json" in shown:
            assert shown in (OLD, new), f"killed at step {step}"
        assert set(shown.values()) <= {*OLD.values(), *new.values()}
        if ended == 0:
            assert shown == new
            assert step > 10
            return
        assert ended == -signal.SIGKILL
        with pytest.raises(ConfigError, match="holds an earlier export"):
            export(folder)
        export(folder, overwrite=True)
        assert held(folder) == {"usage-a-0001.csv": "new", "manifest.json": "{}"}
    pytest.fail("it never came to its end")


def test_what_has_a_name_is_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A power cut cannot be had here, so this looks at the order in which the disk was waited for."""
    synced: list[tuple[int, set[str]]] = []
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        synced.append((os.fstat(descriptor).st_ino, set(held(tmp_path))))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    output = Output(tmp_path)
    with output.opened(False):
        file = PartFile(tmp_path, "usage-a-0001.csv")
        file.append([b"a"])
        file.sync()
        output.complete(["usage-a-0001.csv"], b"{}")
    here, data = tmp_path.stat().st_ino, (tmp_path / "usage-a-0001.csv").stat().st_ino
    manifest = (tmp_path / "manifest.json").stat().st_ino
    growing, named, ended = "usage-a-0001.csv.part", "usage-a-0001.csv", "manifest.json"
    assert synced == [
        (data, {growing, "manifest.json.part"}),
        (here, {named, "manifest.json.part"}),
        (manifest, {named, "manifest.json.part"}),
        (here, {named, ended}),
    ]


def test_a_directory_that_cannot_be_written_to_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="file: cannot be written to: File exists"):
        export(tmp_path / "file")
    with pytest.raises(ConfigError, match="file/below: cannot be written to: Not a directory"):
        export(tmp_path / "file" / "below")


def test_a_disk_that_fails_is_named(tmp_path: Path) -> None:
    with pytest.raises(BridgeError, match="could not be written: No space left"):
        fail(tmp_path, OSError(28, "No space left on device"))
    assert held(tmp_path) == {}


def test_the_manifest_is_json_and_last(tmp_path: Path) -> None:
    export(tmp_path)
    assert json.loads(held(tmp_path)["manifest.json"]) == {}

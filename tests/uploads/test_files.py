"""Files are checked before anything is sent, and a file that changes under way is not taken for a version."""

import hashlib
import os
from pathlib import Path

import pytest

from bridge.core.errors import ConfigError
from bridge.uploads.files import CHUNK_BYTES, Content, FileChanged, Reading, checked, content_of

MANIFEST = Path("manifest.json")


def written(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    return path


def test_files_go_by_the_last_part_of_their_names(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a" / "one.csv"), written(tmp_path / "b" / "zwei ü.csv")
    assert checked([one, two, one], MANIFEST) == {"one.csv": one, "zwei ü.csv": two}


def test_everything_that_cannot_be_sent_is_named_at_once(tmp_path: Path) -> None:
    one, two = written(tmp_path / "a" / "same.csv"), written(tmp_path / "b" / "same.csv")
    manifest, odd = written(tmp_path / "m.json"), written(tmp_path / "a\nb")
    long = tmp_path / ("x" * 256)
    with pytest.raises(ConfigError) as error:
        checked([one, two, manifest, odd, long, tmp_path, tmp_path / "none"], manifest)
    lines = str(error.value).replace(f"{tmp_path}", "T").split("\n")
    assert lines == [
        "T/m.json: is the manifest; leave it out, or name another one",
        "T/a",
        "b: has a name that Productiv may not take; use up to 255 printable characters",
        f"T/{'x' * 256}: has a name that Productiv may not take; use up to 255 printable characters",
        "T: is not a regular file",
        "T/none: cannot be read: No such file or directory",
        "T/a/same.csv and T/b/same.csv: would have the same name at Productiv; rename all but one",
    ]


def test_a_pipe_is_no_file_to_send(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match="is not a regular file"):
        checked([tmp_path / "pipe"], MANIFEST)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_named(tmp_path: Path) -> None:
    written(tmp_path / "secret").chmod(0)
    with pytest.raises(ConfigError, match="secret: cannot be read: Permission denied"):
        checked([tmp_path / "secret"], MANIFEST)


@pytest.mark.anyio
@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES, 2 * CHUNK_BYTES + 1])
async def test_a_file_is_read_in_pieces_and_measured(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = written(tmp_path / "f", content)
    with path.open("rb") as file:
        reading = Reading(file)
        assert reading.size == size
        chunks = [chunk async for chunk in reading.chunks()]
    assert b"".join(chunks) == content
    assert max(map(len, chunks), default=0) <= CHUNK_BYTES
    expected = Content(size, hashlib.sha256(content).hexdigest())
    assert reading.content == content_of(path) == expected


@pytest.mark.anyio
@pytest.mark.parametrize("change", ["grows", "shrinks", "is rewritten"])
async def test_the_last_piece_of_a_file_that_changed_is_not_given_out(tmp_path: Path, change: str) -> None:
    path = written(tmp_path / "f", bytes(2 * CHUNK_BYTES))
    with path.open("rb") as file:
        chunks = Reading(file).chunks()
        assert len(await anext(chunks)) == CHUNK_BYTES
        match change:
            case "grows":
                os.truncate(path, 3 * CHUNK_BYTES)
            case "shrinks":
                os.truncate(path, CHUNK_BYTES)
            case _:
                path.write_bytes(bytes(2 * CHUNK_BYTES))
                os.utime(path, ns=(0, 1))  # the clock of the file system may stand still in between
        with pytest.raises(FileChanged, match="changed while it was being sent"):
            await anext(chunks)

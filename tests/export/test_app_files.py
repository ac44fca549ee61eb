"""Files of apps: each row once, in order, in files no larger than told."""

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.export.app_files import AppFiles, FileLimits, WrittenFile
from bridge.export.file_names import FileNames

HEAD = b"head\r\n"


def written(folder: Path, limits: FileLimits, *appends: tuple[str, list[bytes]]) -> list[WrittenFile]:
    files = AppFiles(folder, FileNames("usage", "csv"), HEAD, limits)
    for app, rows in appends:
        files.append(app, rows)
    return files.end()


def content(folder: Path, file: WrittenFile) -> bytes:
    return (folder / f"{file.name}.part").read_bytes()


def test_each_app_has_a_series_of_its_own(tmp_path: Path) -> None:
    files = written(
        tmp_path,
        FileLimits(2, 1000),
        ("b", [b"1"]),
        ("a", [b"2", b"3", b"4"]),
        ("b", [b"5", b"6"]),
        ("a", [b"7"]),
    )
    assert [(file.name, file.app, content(tmp_path, file)) for file in files] == [
        ("usage-a-0001.csv", "a", HEAD + b"23"),
        ("usage-a-0002.csv", "a", HEAD + b"47"),
        ("usage-b-0001.csv", "b", HEAD + b"15"),
        ("usage-b-0002.csv", "b", HEAD + b"6"),
    ]


@pytest.mark.parametrize(
    ("max_bytes", "sizes"),
    [(len(HEAD) + 4, [2, 2, 1]), (len(HEAD) + 3, [1, 1, 1, 1, 1]), (1, [1, 1, 1, 1, 1]), (10**6, [5])],
)
def test_a_file_ends_before_it_has_too_many_bytes(tmp_path: Path, max_bytes: int, sizes: list[int]) -> None:
    files = written(
        tmp_path, FileLimits(1000, max_bytes), ("a", [b"1\n", b"2\n"]), ("a", [b"3\n", b"4\n", b"5\n"])
    )
    assert [file.records for file in files] == sizes


APPENDS = st.lists(
    st.tuples(st.sampled_from("abc"), st.lists(st.binary(min_size=1, max_size=8), max_size=6)), max_size=6
)


@given(APPENDS, st.integers(1, 5), st.integers(1, 40))
def test_all_rows_are_there_and_no_file_is_too_large(
    appends: list[tuple[str, list[bytes]]], max_records: int, max_bytes: int
) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        files = written(folder, FileLimits(max_records, max_bytes), *appends)
        for app in "abc":
            rows = b"".join(row for each, held in appends for row in held if each == app)
            parts = [content(folder, file) for file in files if file.app == app]
            assert all(part.startswith(HEAD) for part in parts)
            assert b"".join(part[len(HEAD) :] for part in parts) == rows
        for file in files:
            assert 1 <= file.records <= max_records
            assert file.bytes <= max_bytes or file.records == 1
            assert file.bytes == len(content(folder, file))
            assert file.sha256 == sha256(content(folder, file)).hexdigest()
        assert sum(file.records for file in files) == sum(len(rows) for _, rows in appends)


def test_many_apps_need_no_file_open(tmp_path: Path) -> None:
    """A process may have 1024 files open by default; there may be more apps."""
    many = [(f"app-{number}", [b"1"]) for number in range(3000)]
    assert len(written(tmp_path, FileLimits(10, 100), *many)) == 3000

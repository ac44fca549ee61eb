"""File names: safe, readable, and no two alike."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.export.file_names import FileNames, is_of_export
from bridge.streams import SINKS

APPS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=256) | st.text(
    "aA~_-.1é/", min_size=1
)


@pytest.mark.parametrize("app", ["crm", "CRM", "slack.com", "8f14e45f-ceea_1", "7", "a" * 100])
def test_plain_names_stand_as_they_are(app: str) -> None:
    assert FileNames("usage", "csv").name(app, 1) == f"usage-{app}-0001.csv"


@pytest.mark.parametrize(
    ("app", "begin"),
    [
        ("../../etc/passwd", "usage-.._.._etc_passwd~"),
        ("Käse & Co", "usage-K_se_Co~"),
        (".hidden", "usage-.hidden~"),
        ("-rf", "usage--rf~"),
        ("a\0b", "usage-a_b~"),
        ("a" * 256, f"usage-{'a' * 60}~"),
    ],
)
def test_other_names_keep_what_can_stand(app: str, begin: str) -> None:
    name = FileNames("usage", "csv").name(app, 12)
    assert re.fullmatch(re.escape(begin) + r"[0-9a-f]{16}-0012\.csv", name)


@given(st.lists(APPS, unique=True, max_size=20))
def test_every_name_is_safe_and_belongs_to_one_app(apps: list[str]) -> None:
    names = FileNames("org_chart", "ndjson")
    given_names = [names.name(app, number) for app in apps for number in (1, 12_345)]
    for name in given_names:
        assert re.fullmatch(r"org_chart-[A-Za-z0-9_.~-]+-[0-9]{4,}\.ndjson", name)
        assert len(name) < 200
    assert len({name.lower() for name in given_names}) == 2 * len(apps)
    assert [names.name(app, 1) for app in apps] == given_names[::2]


def test_apps_that_differ_in_case_only_have_files_of_their_own() -> None:
    names = FileNames("usage", "csv")
    first, second = names.name("CRM", 1), names.name("crm", 1)
    assert first == "usage-CRM-0001.csv"
    assert second.startswith("usage-crm~")


@pytest.mark.parametrize("stream", SINKS)
def test_what_an_export_writes_is_known_again(stream: str) -> None:
    names = [FileNames(stream, suffix).name(app, 1) for suffix in ("csv", "ndjson") for app in ("crm", "a/b")]
    for name in [*names, "manifest.json", "rejects.ndjson", "deletions.ndjson"]:
        assert is_of_export(name)
        assert is_of_export(f"{name}.part")


@pytest.mark.parametrize(
    "name", ["notes.txt", "report-2025.csv", "usage.csv", "my-usage-crm-0001.csv", "xmanifest.json"]
)
def test_what_others_write_is_not_taken_for_an_export(name: str) -> None:
    assert not is_of_export(name)

"""Applications: free names, each with keys of its own, in the file and in the environment."""

import pytest

from bridge.config import Application, Settings
from bridge.config.applications import MAX_NAME_CHARACTERS
from bridge.config.example import example
from bridge.config.shape import Named, at, shape_of

from .conftest import ConfigFile


def test_a_name_may_stand_alone_or_tell_more(file: ConfigFile) -> None:
    settings = file.load(
        "applications:\n  CRM:\n  monday.com: {description: d, category: c, url: 'https://m'}\n"
    )
    assert settings.applications == {
        "CRM": Application(),
        "monday.com": Application(description="d", category="c", url="https://m"),
    }
    told = [each.told() for each in settings.applications.values()]
    assert told == [{}, {"description": "d", "category": "c", "url": "https://m"}]


def test_applications_from_the_environment(file: ConfigFile) -> None:
    variables = {
        "BRIDGE_APPLICATIONS": '{"My CRM": {"category": "Sales"}}',
        "BRIDGE_APPLICATIONS__Wiki__URL": "https://w",
    }
    settings = file.load("applications: {CRM: {}}", variables)
    assert settings.applications == {
        "CRM": Application(),
        "My CRM": Application(category="Sales"),
        "Wiki": Application(url="https://w"),
    }


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        (
            "applications: CRM",
            "1: applications: names with keys below each are needed here, not a single value",
        ),
        ("applications: [CRM]", "1: applications: no setting is a list; see bridge.example.yaml"),
        (
            "applications:\n  CRM: Sales",
            "2: applications.CRM: keys are needed here, not a single value: description, category, url",
        ),
        (
            "applications:\n  CRM:\n    categry: Sales",
            "3: applications.CRM.categry: unknown key; did you mean 'category'?",
        ),
        (
            "applications:\n  CRM: {url: crm.example}",
            "2: applications.CRM.url: this is not a URL; write it like https://host:port/path",
        ),
        *(
            (
                f"applications:\n  {name!r}: {{}}",
                f"2: applications.{shown}: this is no name for an application; "
                "use up to 256 printable characters",
            )
            for name, shown in ((" ", " "), ("..", ".."), ("x" * 257, "x" * 257))
        ),
        (
            "apps: {names: {a.b: '7'}}\napplications:\n  a.b: {category: c}",
            "3: applications.a.b: apps.names gives the id of 'a.b' already, so there is nothing to register; "
            "remove one",
        ),
    ],
)
def test_mistakes_are_named_by_line_and_key(file: ConfigFile, text: str, mistake: str) -> None:
    assert file.mistakes(text) == [f"bridge.yaml:{mistake}"]


def test_the_longest_name_passes(file: ConfigFile) -> None:
    name = "x" * MAX_NAME_CHARACTERS
    assert list(file.load(f"applications:\n  {name}:\n").applications) == [name]


def test_applications_are_names_enough_to_refuse_others(file: ConfigFile) -> None:
    text = "apps: {unknown: dead_letter}\napplications:\n  CRM:\n"
    assert file.load(text).apps.unknown == "dead_letter"


def test_the_example_describes_the_keys_of_an_application() -> None:
    shape = at(shape_of(Settings), ("applications",))
    assert isinstance(shape, Named)
    words = " ".join(example().replace("#", " ").split())
    for key, below in shape.section.keys.items():
        assert f"{key}: {below.about}" in words
        assert "null = " in below.about

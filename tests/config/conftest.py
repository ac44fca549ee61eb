"""A configuration file for one test, and what is said about it when it is wrong."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from bridge.config import Settings, load
from bridge.core.errors import ConfigError


class ConfigFile:
    """`bridge.yaml` in a folder of its own; messages name it by that short name."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bridge.yaml"

    def load(self, text: str, environ: Mapping[str, str] | None = None) -> Settings:
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, environ or {})

    def mistakes(self, content: str | bytes, environ: Mapping[str, str] | None = None) -> list[str]:
        """The lines of the error that loading must raise."""
        self.path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return mistakes(self.path, environ or {})


def mistakes(path: Path | None, environ: Mapping[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(path, environ)
    text = str(error.value)
    return (text.replace(f"{path.parent}/", "") if path else text).split("\n")


@pytest.fixture
def file(tmp_path: Path) -> ConfigFile:
    return ConfigFile(tmp_path)

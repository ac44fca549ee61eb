"""The examples of docs/security.md are good configurations, from which clients can be made."""

import re
from pathlib import Path

import pytest
from confluent_kafka import Producer

from bridge.config import load
from bridge.productiv.certificates import FollowingContext
from tests.certificates import Authority

pytestmark = pytest.mark.docs_agree

PAGE = (Path(__file__).parents[2] / "docs" / "security.md").read_text()
EXAMPLES = dict(
    re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
)
SECRETS = "/run/secrets/"


def with_files(example: str, folder: Path) -> str:
    """The example with its files under `folder`, where they now are."""
    authority = Authority()
    issued = authority.issue("bridge")
    for path in re.findall(rf"{SECRETS}(\S+)", example):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        content = {"ca.crt": authority.pem, "tls.crt": issued.certificate, "tls.key": issued.key}
        file.write_text(content.get(file.name, "hunter2"))
    return example.replace(SECRETS, f"{folder}/")


def test_every_example_is_tried() -> None:
    assert len(EXAMPLES) == PAGE.count("```yaml") >= 5


@pytest.mark.parametrize("about", EXAMPLES)
def test_clients_can_be_made_of_an_example(about: str, tmp_path: Path) -> None:
    path = tmp_path / "bridge.yaml"
    path.write_text(with_files(EXAMPLES[about], tmp_path))
    settings = load(path, {})
    if "productiv:" in EXAMPLES[about]:
        settings.productiv.require_credentials()
        assert settings.productiv.tls_files is not None
        FollowingContext(settings.productiv.tls_files)
    elif "schema_registry:" in EXAMPLES[about]:
        assert "ssl.key.location" in settings.schema_registry.client_settings()
    else:
        told = settings.kafka.client_settings()
        assert "SSL" in told["security.protocol"]
        Producer({**told, "bootstrap.servers": "127.0.0.1:1", "log_level": 0})

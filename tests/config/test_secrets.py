"""Secrets: read when needed, from files that rotate, and never shown."""

import string
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from bridge.config import Productiv, load
from bridge.config.fields import read_secret_file
from bridge.config.kafka import is_secret_setting
from bridge.config.layers import load_with_places
from bridge.config.show import show
from bridge.core.errors import ConfigError

from .conftest import ConfigFile


def test_credentials_given_as_values() -> None:
    productiv = load(
        None, {"BRIDGE_PRODUCTIV__CLIENT_ID": "me", "BRIDGE_PRODUCTIV__CLIENT_SECRET": "hunter2"}
    ).productiv
    productiv.require_credentials()
    assert (productiv.current_client_id(), productiv.current_client_secret()) == ("me", "hunter2")


def test_credentials_from_files_follow_the_files(tmp_path: Path) -> None:
    name, secret = tmp_path / "id", tmp_path / "secret"
    name.write_text("me\n")
    secret.write_text("hunter2\r\n")
    productiv = Productiv(client_id_file=name, client_secret_file=secret)
    productiv.require_credentials()
    assert (productiv.current_client_id(), productiv.current_client_secret()) == ("me", "hunter2")
    name.write_text("you")
    secret.write_text(" rotated ")
    assert (productiv.current_client_id(), productiv.current_client_secret()) == ("you", " rotated ")


def test_missing_credentials_are_told_only_where_they_are_needed() -> None:
    productiv = load(None, {}).productiv
    with pytest.raises(ConfigError) as error:
        productiv.require_credentials()
    assert str(error.value).split("\n") == [
        "productiv.client_id: not given; set it or productiv.client_id_file (or BRIDGE_PRODUCTIV__CLIENT_ID, "
        "BRIDGE_PRODUCTIV__CLIENT_ID_FILE)",
        "productiv.client_secret: not given; set it or productiv.client_secret_file (or "
        "BRIDGE_PRODUCTIV__CLIENT_SECRET, BRIDGE_PRODUCTIV__CLIENT_SECRET_FILE)",
    ]


def test_unreadable_credentials_are_told_by_file(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    productiv = Productiv(client_id_file=gone, client_secret_file=gone)
    for read, key in (
        (productiv.current_client_id, "client_id_file"),
        (productiv.current_client_secret, "client_secret_file"),
    ):
        with pytest.raises(ConfigError) as error:
            read()
        assert str(error.value) == f"productiv.{key}: cannot read the file {gone}: No such file or directory"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is empty"),
        (b"\n", "is empty"),
        (b"hunter2\xff", "is not UTF-8 text"),
        (b"x" * 1_000_001, "is larger than 1000000 bytes, so it is not a secret"),
    ],
    ids=["empty", "only a line end", "not text", "too large"],
)
def test_a_file_that_holds_no_secret(tmp_path: Path, content: bytes, what: str) -> None:
    path = tmp_path / "secret"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as error:
        read_secret_file(path, "a.key")
    assert str(error.value) == f"a.key: the file {path} {what}"
    # Not even the exception before it may carry the content.
    assert error.value.__suppress_context__ or error.value.__context__ is None


def test_a_certificate_bundle_is_no_larger_than_a_secret_may_be(tmp_path: Path) -> None:
    path = tmp_path / "bundle"
    path.write_text("x" * 1_000_000)
    assert len(read_secret_file(path, "a.key")) == 1_000_000


def test_the_registry_gets_its_password(file: ConfigFile, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    registry = "schema_registry: {url: 'https://r', username: u, "
    complete = {"url": "https://r", "basic.auth.user.info": "u:hunter2"}
    assert file.load(registry + f"password_file: {secret}}}").schema_registry.client_settings() == complete
    assert file.load(registry + "password: hunter2}").schema_registry.client_settings() == complete
    assert file.load("schema_registry: {url: 'https://r'}").schema_registry.client_settings() == {
        "url": "https://r"
    }
    assert load(None, {}).schema_registry.client_settings() == {}
    secret.unlink()
    settings = file.load(registry + f"password_file: {secret}}}")
    with pytest.raises(ConfigError, match=r"^schema_registry\.password_file: cannot read the file"):
        settings.schema_registry.client_settings()


@pytest.mark.parametrize(
    "name",
    [
        "sasl.password",
        "ssl.key.password",
        "ssl.key.pem",
        "ssl.keystore.password",
        "sasl.oauthbearer.client.secret",
        "sasl.oauthbearer.config",
        "sasl.oauthbearer.extensions",
        "sasl.oauthbearer.assertion.private.key.passphrase",
        "sasl.jaas.config",
        "some.credentials",
        "a.TOKEN",
    ],
)
def test_raw_settings_that_may_hold_a_secret(name: str) -> None:
    assert is_secret_setting(name)


@pytest.mark.parametrize(
    "name", ["sasl.username", "security.protocol", "ssl.ca.location", "sasl.oauthbearer.scope"]
)
def test_raw_settings_that_hold_none(name: str) -> None:
    assert not is_secret_setting(name)


# Every way to write a secret into a file, right and wrong. SECRET stands for it.
WAYS = [
    "productiv: {client_secret: SECRET}",
    "productiv: {client_secret: SECRET, client_secret_file: x, max_connections: x}",
    "productiv: {client_secret: {SECRET: 1}, client_id: SECRET}",
    "productiv: {client_secret: [SECRET]}",
    "productiv: {client_secret: !x SECRET}",
    "productiv: {client_secrt: SECRET}",
    "productiv: {client_secret: SECRET, client_secret: SECRET}",
    "productiv: {api_url: 'https://u:SECRET@h'}",
    "productiv: {api_url: 'https://u:1/SECRET@h'}",
    "schema_registry: {url: 'http://h', username: u, password: SECRET}",
    "schema_registry: {password: SECRET}",
    "schema_registry: {url: 'http://u:SECRET@h'}",
    "kafka: {settings: {sasl.password: SECRET, acks: 1}}",
    "kafka: {settings: {sasl.password: SECRET}}",
    "kafka: {settings: {proxy: 'http://u:SECRET@h/'}}",
    "kafka: {settings: {proxy: 'http://u:a/@SECRET@h/'}}",
    "kafka: {settings: {transactional.id: SECRET}}",
    "kafka: {settings: SECRET}",
    "kafka: {settings: {sasl.password: {SECRET: 1}}, settings_files: SECRET}",
    "kafka: SECRET",
    "SECRET",
    "productiv:\n  client_secret: SECRET\n port: 1",
    "productiv:\n  client_secret: 'SECRET\n",
    'productiv:\n  client_secret: "SECRET',
    'productiv:\n  client_secret: "\\SECRET"',
    "productiv:\n  client_secret: *SECRET",
    "productiv:\n  client_secret: &SECRET",
    "productiv:\n  client_secret: !SECRET",
    "productiv:\n  client_secret: !<SECRET",
    "productiv:\n  client_secret: !SECRET!x y",
    "productiv:\n  client_secret: %SECRET",
    "productiv:\n  client_secret: |SECRET",
    "%SECRET\n---\n",
    "%TAG SECRET SECRET\n---\n",
]
VARIABLES = [
    "BRIDGE_PRODUCTIV__CLIENT_SECRET",
    "BRIDGE_PRODUCTIV__CLIENT_SECRT",
    "BRIDGE_PRODUCTIV",
    "BRIDGE_SCHEMA_REGISTRY__PASSWORD",
    "BRIDGE_SCHEMA_REGISTRY__URL",
    "BRIDGE_KAFKA__SETTINGS",
    "BRIDGE_KAFKA__SETTINGS__SASL_PASSWORD",
    "BRIDGE_KAFKA__SETTINGS__ACKS",
    "BRIDGE_KAFKA__SETTINGS__MAX_POLL_INTERVAL_MS",
    "BRIDGE_KAFKA__SETTINGS_FILES",
]

# A mark that no message holds by chance, and around it whatever a password may be made of.
secrets = st.builds(
    "{}Zq9{}".format,
    st.text(string.ascii_letters, max_size=3),
    st.text(string.ascii_letters + string.digits + "!$/+=_-.", max_size=5),
)


@hypothesis_settings(max_examples=300)
@given(st.one_of(st.sampled_from(WAYS), st.sampled_from(VARIABLES)), secrets)
def test_a_secret_is_never_shown(tmp_path_factory: pytest.TempPathFactory, way: str, secret: str) -> None:
    path = tmp_path_factory.mktemp("config") / "bridge.yaml"
    is_variable = way in VARIABLES
    path.write_text("" if is_variable else way.replace("SECRET", secret))
    try:
        loaded = load_with_places(path, {way: secret} if is_variable else {})
    except ConfigError as error:
        told = f"{error} {error!r} {error.__cause__!r} {error.__context__!r}"
    else:
        told = f"{loaded!r} {loaded.settings} {show(loaded)}"
    assert "Zq9" not in told

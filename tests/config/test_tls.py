"""Certificates in files: what is wrong with them is told by setting and file, before anything connects."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from bridge.config import Productiv, SchemaRegistry
from bridge.core.errors import ConfigError
from tests.certificates import Authority

AUTHORITY = Authority()
GARBLED = "-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Good files for all three settings."""
    certificate, key = AUTHORITY.issue("bridge").write(tmp_path, "bridge")
    return {
        "ca_file": AUTHORITY.write(tmp_path),
        "client_certificate_file": certificate,
        "client_key_file": key,
    }


def told(files: dict[str, Path]) -> str:
    """What the API's section says of the files; the registry's must say the same."""
    with pytest.raises(ConfigError) as error:
        Productiv.model_validate({"client_id": "a", "client_secret": "b", **files}).require_credentials()
    with pytest.raises(ConfigError) as same:
        SchemaRegistry.model_validate({"url": "https://r", **files}).client_settings()
    assert str(same.value) == str(error.value).replace("productiv.", "schema_registry.")
    return str(error.value)


def test_good_files(files: dict[str, Path]) -> None:
    Productiv.model_validate({"client_id": "a", "client_secret": "b", **files}).require_credentials()
    assert SchemaRegistry.model_validate({"url": "https://r", **files}).client_settings() == {
        "url": "https://r",
        "ssl.ca.location": str(files["ca_file"]),
        "ssl.certificate.location": str(files["client_certificate_file"]),
        "ssl.key.location": str(files["client_key_file"]),
    }


def test_no_files() -> None:
    assert Productiv().tls_files is None


@pytest.mark.parametrize("setting", ["ca_file", "client_certificate_file", "client_key_file"])
def test_a_missing_file(files: dict[str, Path], setting: str) -> None:
    files[setting].unlink()
    assert told(files) == (
        f"productiv.{setting}: cannot read the file {files[setting]}: No such file or directory"
    )


@pytest.mark.parametrize(
    ("setting", "what"),
    [
        ("ca_file", "certificate"),
        ("client_certificate_file", "certificate"),
        ("client_key_file", "private key"),
    ],
)
@pytest.mark.parametrize("content", ["", "hunter2"])
def test_a_file_that_is_not_pem(files: dict[str, Path], setting: str, what: str, content: str) -> None:
    files[setting].write_text(content)
    assert told(files) == f"productiv.{setting}: the file {files[setting]} holds no {what} in PEM form"


def test_a_certificate_without_a_key_anywhere(files: dict[str, Path]) -> None:
    del files["client_key_file"]
    certificate = files["client_certificate_file"]
    assert told(files) == (
        f"productiv.client_certificate_file: the file {certificate} holds no private key in PEM form"
    )


def test_a_key_of_another_certificate(files: dict[str, Path]) -> None:
    files["client_key_file"].write_text(AUTHORITY.issue("other").key)
    assert told(files) == (
        f"productiv.client_key_file: the key in {files['client_key_file']} does not fit the certificate in "
        f"{files['client_certificate_file']}"
    )


@pytest.mark.parametrize("setting", ["ca_file", "client_certificate_file"])
def test_a_garbled_certificate(files: dict[str, Path], setting: str) -> None:
    files[setting].write_text(GARBLED)
    assert told(files).startswith(f"productiv.{setting}: the file {files[setting]} cannot be used")


def test_a_garbled_key(files: dict[str, Path]) -> None:
    files["client_key_file"].write_text(GARBLED.replace("CERTIFICATE", "PRIVATE KEY"))
    said = told(files)
    assert said.startswith("productiv.client_certificate_file: the file ")
    assert f" cannot be used with the key in {files['client_key_file']}: " in said


def test_an_encrypted_key_is_refused_and_nobody_is_asked_for_its_password(files: dict[str, Path]) -> None:
    key = serialization.load_pem_private_key(files["client_key_file"].read_bytes(), None)
    encrypted = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hunter2"),
    )
    files["client_key_file"].write_bytes(encrypted)
    assert told(files) == (
        f"productiv.client_key_file: the key in {files['client_key_file']} is encrypted; keep it without a "
        "password, in a file that only the bridge may read"
    )

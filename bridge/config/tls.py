"""Certificates in files: whom to trust, and who we are. Read anew whenever they are asked for."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from bridge.config.fields import Rule, read_file
from bridge.core.errors import ConfigError

_CERTIFICATE, _KEY = "-----BEGIN CERTIFICATE-----", "PRIVATE KEY-----"


def key_needs_certificate(certificate: Path | None, key: Path | None) -> Rule:
    """A key alone says nothing."""
    return Rule(
        certificate is not None or key is None,
        ("client_key_file", "client_certificate_file"),
        "client_key_file is given without client_certificate_file; set that too",
    )


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """The PEM files that a `section` of the configuration names in `ca_file` and so on.

    Without `ca` the authorities are whoever loads them to choose; without `key` it is in the file of the
    certificate.
    """

    section: str
    ca: Path | None
    certificate: Path | None
    key: Path | None

    def contents(self) -> tuple[str, ...]:
        """What stands in the files now, to see whether they have changed.

        Raises:
            ConfigError: a file cannot be read, or does not hold what it should.
        """
        return tuple(
            self._text(path, setting, mark)
            for path, setting, mark in (
                (self.ca, "ca_file", _CERTIFICATE),
                (self.certificate, "client_certificate_file", _CERTIFICATE),
                (self.key or self.certificate, self._key_setting, _KEY),
            )
            if path is not None
        )

    def load_into(self, context: ssl.SSLContext) -> None:
        """Adds the authorities, the certificate and its key to a context.

        Raises:
            ConfigError: a file cannot be read, or does not hold what it should.
        """
        self.contents()
        if self.ca is not None:
            try:
                context.load_verify_locations(self.ca)
            except (OSError, ssl.SSLError) as error:
                raise self._unusable("ca_file", self.ca, error) from None
        if self.certificate is not None:
            self._load_certificate(context, self.certificate)

    def _load_certificate(self, context: ssl.SSLContext, certificate: Path) -> None:
        key = self.key or certificate
        try:
            context.load_cert_chain(certificate, key, password=self._ask_nobody)
        except ssl.SSLError as error:
            if error.reason and "MISMATCH" in error.reason:
                raise ConfigError(
                    f"{self.section}.{self._key_setting}: the key in {key} does not fit the certificate in "
                    f"{certificate}"
                ) from None
            beside = f" with the key in {key}"
            raise self._unusable("client_certificate_file", certificate, error, beside) from None
        except OSError as error:
            raise self._unusable("client_certificate_file", certificate, error) from None

    def _ask_nobody(self) -> str:
        """Stands where OpenSSL would ask at the terminal."""
        raise ConfigError(
            f"{self.section}.{self._key_setting}: the key in {self.key or self.certificate} is encrypted; "
            "keep it without a password, in a file that only the bridge may read"
        )

    def _text(self, path: Path, setting: str, mark: str) -> str:
        text = read_file(path, f"{self.section}.{setting}")
        if mark not in text:
            what = "private key" if mark is _KEY else "certificate"
            raise ConfigError(f"{self.section}.{setting}: the file {path} holds no {what} in PEM form")
        return text

    def _unusable(self, setting: str, path: Path, error: OSError, more: str = "") -> ConfigError:
        # OpenSSL's words name a reason and no content.
        why = getattr(error, "reason", None) or error.strerror
        return ConfigError(f"{self.section}.{setting}: the file {path} cannot be used{more}: {why}")

    @property
    def _key_setting(self) -> str:
        return "client_certificate_file" if self.key is None else "client_key_file"

"""The Productiv API: where it is, who we are there, and how hard we may press it."""

import ssl
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from bridge.config.fields import (
    FilePath,
    Rule,
    Secret,
    Section,
    ServiceUrl,
    Text,
    read_secret_file,
    refuse_broken,
)
from bridge.config.tls import TlsFiles, key_needs_certificate
from bridge.core.errors import ConfigError

Seconds = Annotated[float, Field(gt=0, le=600)]


class Timeouts(Section):
    """How long one step of a request may take."""

    connect_seconds: Seconds = Field(
        default=5, description="Longest wait for a connection to stand, TLS included, in seconds."
    )
    write_seconds: Seconds = Field(
        default=30, description="Longest wait for a piece of the request to be sent, in seconds."
    )
    read_seconds: Seconds = Field(
        default=30,
        description="Longest wait for a piece of the answer, in seconds. After that nobody knows whether "
        "the API took the batch.",
    )
    pool_seconds: Seconds = Field(
        default=30,
        description="Longest wait for a free connection when all max_connections are in use, in seconds.",
    )


class Productiv(Section):
    """The Productiv API: where it is, who we are there, and how hard we may press it."""

    api_url: ServiceUrl = Field(default="https://public-api.productiv.com", description="Address of the API.")
    token_url: ServiceUrl = Field(
        default="https://login.api.productiv.com/oauth2/token",
        description="Address that gives access tokens (OAuth2 client credentials).",
    )
    contract: Literal["openapi"] = Field(
        default="openapi",
        description="Which description of the API's paths and field names to follow. One of: openapi.",
    )
    client_id: Text | None = Field(
        default=None,
        description="Client id of the API credentials. null = not given here; `run` needs it or "
        "client_id_file.",
    )
    client_id_file: FilePath | None = Field(
        default=None, description="File that holds the client id, read again for each token. null = none."
    )
    client_secret: Secret | None = Field(
        default=None,
        description="Secret of the API credentials; better kept in client_secret_file. null = not given "
        "here; `run` needs one of the two.",
    )
    client_secret_file: FilePath | None = Field(
        default=None,
        description="File that holds the client secret, read again for each token, so that a rotated "
        "secret is taken up without a restart. null = none.",
    )
    token_auth: Literal["form", "basic"] = Field(
        default="form",
        description="How the credentials travel to token_url: form = in the request's form body, basic = "
        "as HTTP Basic authentication.",
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file of the authorities to trust for https, at api_url and token_url. null = the "
        "system's. This file and the two below are read again for each new connection.",
    )
    client_certificate_file: FilePath | None = Field(
        default=None,
        description="PEM file of the certificate that the bridge shows to api_url and token_url, followed by "
        "those between it and its authority. null = none.",
    )
    client_key_file: FilePath | None = Field(
        default=None,
        description="PEM file of the certificate's private key, not encrypted. null = it stands in "
        "client_certificate_file.",
    )
    timeouts: Timeouts = Field(
        default_factory=Timeouts, description="How long one step of a request may take."
    )
    max_connections: int = Field(
        default=64,
        ge=1,
        le=1000,
        description="Connections to the API at most, over all streams of this process.",
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=1000,
        description="Bridges that run with these credentials; each takes an equal share of "
        "requests_per_second and export_requests_per_second, and divides it among its workers.",
    )
    requests_per_second: float | None = Field(
        default=None,
        gt=0,
        description="Requests per second at most, over all streams and replicas. null = no limit on our "
        "side.",
    )
    export_requests_per_second: float | None = Field(
        default=20,
        gt=0,
        description="Requests per second at most to the export API, which sources and `apps list` ask, over "
        "all of them and all replicas; the API allows 20. null = no limit on our side.",
    )
    compression: Literal["none", "gzip"] = Field(
        default="none",
        description="How the bodies of batches travel. gzip takes CPU time and saves most of the bytes. "
        "Whether the API takes it is not described; if it answers 415, batches go out as they are.",
    )
    retry_after_cap_seconds: float = Field(
        default=300,
        gt=0,
        le=86400,
        description="Longest wait that the API may ask for by Retry-After, in seconds.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        twice = (
            Rule(
                getattr(self, key) is None or getattr(self, f"{key}_file") is None,
                (f"{key}_file", key),
                f"{key} and {key}_file are both given; remove one of them",
            )
            for key in ("client_id", "client_secret")
        )
        refuse_broken([*twice, key_needs_certificate(self.client_certificate_file, self.client_key_file)])
        return self

    def share(self, rate: float | None) -> float | None:
        """What one replica may take of a rate that all of them share; None is no limit for any."""
        return None if rate is None else rate / self.replicas

    @property
    def tls_files(self) -> TlsFiles | None:
        """The certificates to use; None if none are configured."""
        files = TlsFiles("productiv", self.ca_file, self.client_certificate_file, self.client_key_file)
        return files if files.ca or files.certificate else None

    def current_client_id(self) -> str:
        """The client id as it stands now; a file is read anew.

        Raises:
            ConfigError: none is configured, or its file cannot be read.
        """
        if self.client_id_file is not None:
            return read_secret_file(self.client_id_file, "productiv.client_id_file")
        if self.client_id is None:
            raise ConfigError(_missing("client_id"))
        return self.client_id

    def current_client_secret(self) -> str:
        """The client secret as it stands now, in the clear; a file is read anew.

        Raises:
            ConfigError: none is configured, or its file cannot be read.
        """
        if self.client_secret_file is not None:
            return read_secret_file(self.client_secret_file, "productiv.client_secret_file")
        if self.client_secret is None:
            raise ConfigError(_missing("client_secret"))
        return self.client_secret.get_secret_value()

    def require_credentials(self) -> None:
        """Checks that client id, secret and certificates can be had, for commands that call the API.

        Raises:
            ConfigError: names everything that is missing or unreadable.
        """
        missing = []
        for check in (self.current_client_id, self.current_client_secret, self._check_certificates):
            try:
                check()
            except ConfigError as error:
                missing.append(str(error))
        if missing:
            raise ConfigError("\n".join(missing))

    def _check_certificates(self) -> None:
        if self.tls_files is not None:
            self.tls_files.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


def _missing(key: str) -> str:
    variable = f"BRIDGE_PRODUCTIV__{key.upper()}"
    return f"productiv.{key}: not given; set it or productiv.{key}_file (or {variable}, {variable}_FILE)"

"""The Kafka cluster and the schema registry: where they are, and raw client settings for both."""

import re
import ssl
from collections.abc import Iterator
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema, model_validator

from bridge.config.fields import (
    DottedKeys,
    FilePath,
    RegistryUrl,
    Rule,
    Secret,
    Section,
    Text,
    TopicName,
    read_secret_file,
    refuse_broken,
)
from bridge.config.tls import TlsFiles, key_needs_certificate

# By default (100 ms, to double) each client tries some 16 times a second as long as no broker is there, as
# librdkafka begins anew with each list of brokers.
_RECONNECT = {"reconnect.backoff.ms": "1000", "reconnect.backoff.max.ms": "10000"}
# A client to which a broker just started has said "no leader" may ask anew only after this; by default 5 min.
_REFRESH = {"topic.metadata.refresh.interval.ms": "10000"}
_DEFAULT_MAX_POLL_INTERVAL_MS = "300000"  # librdkafka's own default
_WHOLE_MS = re.compile(r"[1-9][0-9]{0,8}")

_COMMITS = "offsets are committed by the bridge, and only past records that are settled"
_ACKNOWLEDGED = "a record counts as dead-lettered only when every replica acknowledged it, once"
_REPEATED = "the bridge itself repeats a dead letter until it is acknowledged, and bounds each try"
_ASSIGNMENT = "the bridge drains what is in flight by the rules of the cooperative-sticky assignment"

REFUSED: Final[dict[str, str]] = {
    "bootstrap.servers": "it has a key of its own: kafka.bootstrap_servers",
    "metadata.broker.list": "it is another name of bootstrap.servers, which has a key of its own: "
    "kafka.bootstrap_servers",
    "group.id": "each stream has a group of its own, named by kafka.group_prefix",
    "group.protocol": _ASSIGNMENT,
    "group.remote.assignor": _ASSIGNMENT,
    "partition.assignment.strategy": _ASSIGNMENT,
    "enable.auto.commit": _COMMITS,
    "auto.commit.enable": _COMMITS,
    "auto.commit.interval.ms": _COMMITS,
    "enable.auto.offset.store": _COMMITS,
    "offset.store.method": _COMMITS,
    "auto.offset.reset": "a new group starts at the oldest record; any other start would skip records",
    "enable.partition.eof": "the bridge takes every message polled for a record, and this adds messages "
    "that are none",
    "isolation.level": "records of transactions that were taken back must never reach the API",
    "enable.idempotence": _ACKNOWLEDGED,
    "acks": _ACKNOWLEDGED,
    "request.required.acks": _ACKNOWLEDGED,
    "delivery.report.only.error": "without a report of success no dead letter would ever count as written",
    "message.max.bytes": "the bridge sets it so that the largest dead letter fits",
    "message.timeout.ms": _REPEATED,
    "delivery.timeout.ms": _REPEATED,
    "transactional.id": "the bridge names its transactions itself, so that a new owner fences the old one",
}
"""librdkafka settings that the bridge's guarantees rest on, each with the reason why it is refused."""

_SECRET = re.compile(
    r"pass|secret|key|token|jaas|credential|oauthbearer\.(config|extensions|assertion)", re.IGNORECASE
)


def is_secret_setting(name: str) -> bool:
    """Whether the librdkafka setting of this name may hold a secret, so that its value is never shown."""
    return _SECRET.search(name) is not None


def _check_names(settings: Any) -> Any:
    """Refuses names that librdkafka cannot have, and those that the guarantees depend on."""
    if isinstance(settings, dict):
        refuse_broken(rule for name in settings for rule in _name_rules(str(name)))
    return settings


def _name_rules(name: str) -> Iterator[Rule]:
    yield Rule(
        re.fullmatch(r"[a-z0-9]+(\.[a-z0-9]+)*", name) is not None,
        (name,),
        "this is no name of a librdkafka setting; those are words in lower case with dots between them",
    )
    yield Rule(name not in REFUSED, (name,), f"this cannot be set: {REFUSED.get(name)}; remove it")


def _check_brokers(servers: str) -> str:
    if not re.fullmatch(r"[^\s,]+(,[^\s,]+)*", servers):
        raise ValueError("this is no list of brokers; write it like host1:9092,host2:9092, without blanks")
    return servers


def _check_prefix(prefix: str) -> str:
    if not re.fullmatch(r"[a-zA-Z0-9._-]{1,200}", prefix):
        raise ValueError("use at most 200 letters, digits, dots, underscores and hyphens")
    return prefix


_Named = BeforeValidator(_check_names)
# librdkafka takes text; in YAML a number or true needs no quotes.
_RawValue = Annotated[str, WithJsonSchema({"type": ["string", "number", "boolean"]})]


class Kafka(Section):
    """The Kafka cluster that the topics live on."""

    bootstrap_servers: Annotated[str, AfterValidator(_check_brokers)] = Field(
        default="localhost:9092",
        description="Brokers to start from, as host:port, several divided by commas without blanks.",
    )
    group_prefix: Annotated[str, AfterValidator(_check_prefix)] = Field(
        default="productiv-bridge",
        description="Start of the consumer groups' names; the stream's name follows after a dot.",
    )
    create_topics: bool = Field(
        default=True,
        description="Whether `run` creates the topics that do not exist yet, as topics/*.yaml describe them.",
    )
    journal_topic: TopicName = Field(
        default="productiv.bridge.journal",
        description="Compacted topic in which the bridge writes what it is about to send, for streams that "
        "must not be sent twice. `run` creates it if it may.",
    )
    cursors_topic: TopicName = Field(
        default="productiv.bridge.cursors",
        description="Compacted topic in which sources remember how far they got. `run` creates it if it may. "
        "Which process polls what is decided by its partitions, so keep their number.",
    )
    decisions_topic: TopicName = Field(
        default="productiv.bridge.decisions",
        description="Compacted topic for what operators decide: in it `dlq` remembers which dead letters "
        "were replayed or discarded, and `resume` tells stopped streams to go on. Both create it, if "
        "create_topics is set.",
    )
    replication_factor: int = Field(
        default=-1,
        ge=-1,
        le=32767,
        description="Copies of each topic that the bridge creates. -1 = the broker's default.",
    )
    settings: Annotated[dict[str, _RawValue], DottedKeys(), _Named] = Field(
        default_factory=dict,
        repr=False,
        description="Raw librdkafka settings for every client, by their own names, for example "
        "security.protocol: SASL_SSL. Refused are those that the bridge's guarantees rest on.",
    )
    settings_files: Annotated[dict[str, FilePath], DottedKeys(), _Named] = Field(
        default_factory=dict,
        description="As settings, for secrets: the name of a librdkafka setting and the file that holds "
        "its value, for example sasl.password: /run/secrets/kafka.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        interval = self.settings.get("max.poll.interval.ms", _DEFAULT_MAX_POLL_INTERVAL_MS)
        refuse_broken(
            [
                Rule(
                    self.replication_factor != 0,
                    ("replication_factor",),
                    "0 copies of a topic are none; use 1 or more, or -1",
                ),
                Rule(
                    _WHOLE_MS.fullmatch(interval) is not None,
                    ("settings.max.poll.interval.ms",),
                    "max.poll.interval.ms is not a whole number of milliseconds",
                ),
                *(
                    Rule(
                        name not in self.settings,
                        (f"settings_files.{name}", f"settings.{name}"),
                        f"{name} is given in settings and in settings_files; remove one of them",
                    )
                    for name in self.settings_files
                ),
            ]
        )
        return self

    @property
    def max_poll_interval_seconds(self) -> float:
        """How long a consumer may go without polling before it loses its partitions, in seconds."""
        return int(self.settings.get("max.poll.interval.ms", _DEFAULT_MAX_POLL_INTERVAL_MS)) / 1000

    def client_settings(self) -> dict[str, str]:
        """What every Kafka client starts from: brokers, raw settings, and settings_files read anew.

        Raises:
            ConfigError: a file of settings_files cannot be read.
        """
        secrets = {
            name: read_secret_file(path, f"kafka.settings_files.{name}")
            for name, path in self.settings_files.items()
        }
        given = {**self.settings, **secrets, "bootstrap.servers": self.bootstrap_servers}
        return {**({} if given.keys() & _RECONNECT.keys() else _RECONNECT), **_REFRESH, **given}


class SchemaRegistry(Section):
    """The schema registry, for topics in the format avro_registry."""

    url: RegistryUrl | None = Field(
        default=None,
        description="Address of the schema registry, several divided by commas; mock://name is one in "
        "memory, for tests. null = none; needed for the format avro_registry.",
    )
    username: Text | None = Field(
        default=None, description="User name for HTTP Basic authentication. null = none."
    )
    password: Secret | None = Field(
        default=None,
        description="Password of username; better kept in password_file. null = not given here.",
    )
    password_file: FilePath | None = Field(
        default=None, description="File that holds the password of username. null = none."
    )
    ca_file: FilePath | None = Field(
        default=None,
        description="PEM file of the authorities to trust for https. null = those of the Python package "
        "certifi, or of the environment variable SSL_CERT_FILE.",
    )
    client_certificate_file: FilePath | None = Field(
        default=None,
        description="PEM file of the certificate that the bridge shows to the registry, followed by those "
        "between it and its authority. null = none.",
    )
    client_key_file: FilePath | None = Field(
        default=None,
        description="PEM file of the certificate's private key, not encrypted. null = it stands in "
        "client_certificate_file.",
    )

    @model_validator(mode="after")
    def _rules(self) -> Self:
        given = (self.password is not None) + (self.password_file is not None)
        refuse_broken(
            [
                Rule(
                    given < 2,
                    ("password_file", "password"),
                    "password and password_file are both given; remove one of them",
                ),
                Rule(
                    self.username is None or given > 0,
                    ("username", "password", "password_file"),
                    "username is given without a password; set password or password_file",
                ),
                Rule(
                    self.username is not None or given == 0,
                    ("password_file", "password", "username"),
                    "a password is given without username; set username",
                ),
                key_needs_certificate(self.client_certificate_file, self.client_key_file),
                Rule(
                    self.url is not None
                    or not (self.username or self.ca_file or self.client_certificate_file),
                    ("username", "ca_file", "client_certificate_file", "url"),
                    "this is set, but schema_registry.url is not; set url or remove this",
                ),
            ]
        )
        return self

    def client_settings(self) -> dict[str, str]:
        """What the registry client starts from, in its own names; empty when no registry is configured.

        Raises:
            ConfigError: password_file cannot be read, or a certificate or key cannot be used.
        """
        if self.url is None:
            return {}
        settings = {"url": self.url}
        if self.username is not None:
            settings["basic.auth.user.info"] = f"{self.username}:{self._current_password()}"
        files = TlsFiles("schema_registry", self.ca_file, self.client_certificate_file, self.client_key_file)
        # The client would ask for the password of a key at the terminal, and say no file's name.
        files.load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        locations = {
            "ssl.ca.location": files.ca,
            "ssl.certificate.location": files.certificate,
            "ssl.key.location": files.key,
        }
        return settings | {name: str(path) for name, path in locations.items() if path is not None}

    def _current_password(self) -> str:
        if self.password_file is not None:
            return read_secret_file(self.password_file, "schema_registry.password_file")
        return self.password.get_secret_value() if self.password is not None else ""

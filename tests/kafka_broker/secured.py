"""Listeners that ask who is there: TLS with a client's certificate, and SASL over TLS.

They stand beside the plain one, which the test itself uses to prepare and to look.
"""

from dataclasses import dataclass, field
from pathlib import Path

from confluent_kafka.admin import (  # type: ignore[attr-defined]  # public, and not marked so
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from tests.certificates import Authority
from tests.kafka_broker.ports import free_port

USER = "bridge"
_SECURITY = "org.apache.kafka.common.security"


@dataclass
class Secured:
    """What the listeners work with; what a test changes here counts from the next start of the broker.

    `folder` takes the files of the broker, `password` is that of USER by the mechanism PLAIN.
    """

    folder: Path
    password: str = "first-password"
    servers: Authority = field(default_factory=lambda: Authority("Brokers"))
    clients: Authority = field(default_factory=lambda: Authority("Clients"))
    tls: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")
    sasl: str = field(default_factory=lambda: f"127.0.0.1:{free_port()}")

    def __post_init__(self) -> None:
        self._server = self.servers.issue("broker")

    def settings(self, listeners: str, advertised: str) -> dict[str, str]:
        """The broker's settings for these listeners beside others."""
        own, clients = self.folder / "broker.pem", self.clients.write(self.folder, "clients")
        own.write_text(self._server.key + self._server.certificate)
        more = f",SSL://{self.tls},SASL_SSL://{self.sasl}"
        sasl = "listener.name.sasl_ssl"
        return {
            "listeners": listeners + more,
            "advertised.listeners": advertised + more,
            "listener.security.protocol.map": (
                "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL"
            ),
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(own),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(clients),
            "listener.name.ssl.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": "SCRAM-SHA-512,PLAIN,OAUTHBEARER",
            f"{sasl}.scram-sha-512.sasl.jaas.config": f"{_SECURITY}.scram.ScramLoginModule required;",
            f"{sasl}.plain.sasl.jaas.config": (
                f'{_SECURITY}.plain.PlainLoginModule required user_{USER}="{self.password}";'
            ),
            # Takes tokens without a signature, as nobody here could sign them.
            f"{sasl}.oauthbearer.sasl.jaas.config": (
                f'{_SECURITY}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="-";'
            ),
        }


def set_scram_password(bootstrap: str, password: str) -> None:
    """Gives USER this password by the mechanism SCRAM-SHA-512."""
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    info = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4096)
    change = UserScramCredentialUpsertion(USER, info, password.encode())
    admin.alter_user_scram_credentials([change])[USER].result(timeout=30)

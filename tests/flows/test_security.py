"""Connections that ask who is there, and credentials that change while the bridge runs."""

import base64
import json
import ssl
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from bridge.sandbox import SandboxServer
from tests.certificates import Authority
from tests.flows.conftest import staged
from tests.flows.process import BridgeProcess, balanced, eventually
from tests.flows.setting import usage
from tests.flows.test_spend import accepted, payments, taken
from tests.kafka_broker.cluster import Cluster
from tests.kafka_broker.local import LocalBroker
from tests.kafka_broker.mock import MockBroker
from tests.kafka_broker.secured import USER, Secured, set_scram_password

REFUSED = "Kafka: sasl_ssl://"


@pytest.fixture
def secured(secured_kafka: Cluster[LocalBroker]) -> Secured:
    made = secured_kafka.broker.secured
    assert made is not None
    return made


def over_tls(secured: Secured, folder: Path) -> dict[str, Any]:
    """Settings of Kafka for mutual TLS."""
    certificate, key = secured.clients.issue("bridge").write(folder, "bridge")
    return {
        "bootstrap_servers": secured.tls,
        "settings": {
            "security.protocol": "SSL",
            "ssl.ca.location": str(secured.servers.write(folder)),
            "ssl.certificate.location": str(certificate),
            "ssl.key.location": str(key),
        },
    }


def over_sasl(secured: Secured, folder: Path, mechanism: str, **settings: str) -> dict[str, Any]:
    """Settings of Kafka for SASL over TLS."""
    return {
        "bootstrap_servers": secured.sasl,
        "settings": {
            "security.protocol": "SASL_SSL",
            "ssl.ca.location": str(secured.servers.write(folder)),
            "sasl.mechanism": mechanism,
            "debug": "conf,security,broker",  # for what must not stand in the log
            **{name.replace("_", "."): value for name, value in settings.items()},
        },
    }


def with_password(kafka: dict[str, Any], file: Path) -> dict[str, Any]:
    """The same with a user name, and the password from a file."""
    kafka["settings"]["sasl.username"] = USER
    return kafka | {"settings_files": {"sasl.password": str(file)}}


def reasons(bridge: BridgeProcess) -> str:
    """What `/readyz` says; empty if all is well."""
    return " ".join(bridge.status("/readyz")[1]["reasons"])


def settled(bridge: BridgeProcess) -> bool:
    return bridge.books()["outstanding"] == 0


@pytest.mark.real_kafka
def test_a_thousand_events_over_mutual_tls(
    secured_kafka: Cluster[LocalBroker], secured: Secured, tmp_path: Path
) -> None:
    with staged(secured_kafka, tmp_path) as stage:
        stage.produce(usage(n) for n in range(1_000))
        bridge = stage.bridge(over_tls(secured, tmp_path)).start()
        stage.delivered(1_000)
        eventually(lambda: settled(bridge), "all settled")
        assert reasons(bridge) == ""
        assert bridge.stop() == 0
        assert stage.committed() == 1_000


@pytest.mark.real_kafka
@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "PLAIN"])
def test_a_password_rotates_while_payments_go_on(
    secured_kafka: Cluster[LocalBroker], secured: Secured, tmp_path: Path, mechanism: str
) -> None:
    """Consumer, journal, dead letters and in-doubt records each have clients of their own."""
    file = tmp_path / "kafka-password"

    def rotate(password: str) -> None:
        """At the broker, which then starts again, so that every connection is made anew."""
        if mechanism == "PLAIN":
            secured.password = password
        else:
            set_scram_password(secured_kafka.bootstrap, password)
        secured_kafka.broker.restart()

    set_scram_password(secured_kafka.bootstrap, secured.password)
    file.write_text(f"{secured.password}\n")
    with staged(secured_kafka, tmp_path, stream="spend") as stage:
        kafka = with_password(over_sasl(secured, tmp_path, mechanism), file)
        bridge = stage.bridge(kafka, batch={"max_records": 100, "max_age_seconds": 0.2})
        bridge.change(log={"level": "debug"})
        bridge.start()
        records = payments(1_000)
        stage.produce([b"not a payment", *records[:500]])
        eventually(lambda: accepted(stage) == 500, "the first half is taken")
        rotate("second-password")
        eventually(lambda: REFUSED in reasons(bridge), "it says that the old password is refused")
        file.write_text("second-password\n")
        stage.produce([b"not a payment either", *records[500:]])
        eventually(lambda: accepted(stage) == 1_000, "the second half is taken")
        eventually(lambda: settled(bridge), "all settled")
        eventually(lambda: reasons(bridge) == "", "it is ready again")
        assert set(taken(stage).values()) == {1}
        assert len(stage.buried()) == 2
        assert len(bridge.logged("kafka_credentials_rotated")) == 1
        assert bridge.metric("bridge_in_doubt_waiting_records") == 0
        assert balanced(bridge.books())
        assert bridge.stop() == 0
        assert "-password" not in bridge.log.read_text().replace(str(file), "")


@pytest.mark.real_kafka
def test_what_is_wrong_at_the_start_is_told_in_a_sentence(
    secured_kafka: Cluster[LocalBroker], secured: Secured, tmp_path: Path
) -> None:
    file = tmp_path / "kafka-password"
    file.write_text("hunter2")
    with staged(secured_kafka, tmp_path) as stage:
        wrong_ca = over_tls(secured, tmp_path)
        wrong_ca["settings"]["ssl.ca.location"] = str(Authority("Nobody").write(tmp_path, "nobody"))
        no_certificate = over_tls(secured, tmp_path)
        for setting in ("ssl.certificate.location", "ssl.key.location"):
            del no_certificate["settings"][setting]
        wrong_password = with_password(over_sasl(secured, tmp_path, "SCRAM-SHA-512"), file)
        told = {
            "broker certificate could not be verified, verify that ssl.ca.location": stage.bridge(wrong_ca),
            "alert bad certificate": stage.bridge(no_certificate | {"create_topics": True}),
            "Authentication failed during authentication due to invalid credentials": stage.bridge(
                wrong_password | {"create_topics": True}
            ),
        }
        for bridge in told.values():
            bridge.begin()
        for sentence, bridge in told.items():
            assert bridge.exit_code() == 2
            last = bridge.log.read_text().splitlines()[-1]
            assert last.startswith("productiv-bridge: ")
            assert sentence in last
            assert "Traceback" not in bridge.log.read_text()
            assert "hunter2" not in bridge.log.read_text()


class TokenEndpoint:
    """Gives tokens without a signature that live a few seconds, to a client that knows the secret."""

    SECRET = "oidc-secret"
    SECONDS = 6

    def __init__(self) -> None:
        self.given = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                endpoint._answer(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/token"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        expected = base64.b64encode(f"{USER}:{self.SECRET}".encode()).decode()
        if request.headers["Authorization"] != f"Basic {expected}":
            request.send_error(401)
            return
        self.given += 1
        now = time.time()
        parts = ({"alg": "none"}, {"sub": USER, "iat": now, "exp": now + self.SECONDS})
        texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
        body = json.dumps({"access_token": f"{'.'.join(texts)}.", "token_type": "Bearer"}).encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)


@pytest.fixture
def tokens() -> Iterator[TokenEndpoint]:
    endpoint = TokenEndpoint()
    yield endpoint
    endpoint.close()


@pytest.mark.real_kafka
def test_kafka_by_tokens_that_librdkafka_fetches(
    secured_kafka: Cluster[LocalBroker], secured: Secured, tmp_path: Path, tokens: TokenEndpoint
) -> None:
    """By configuration alone; the tokens end and are renewed while the bridge runs."""
    file = tmp_path / "oidc-client"
    file.write_text(tokens.SECRET)
    kafka = over_sasl(secured, tmp_path, "OAUTHBEARER", sasl_oauthbearer_method="oidc")
    kafka["settings"]["sasl.oauthbearer.client.id"] = USER
    kafka["settings"]["sasl.oauthbearer.token.endpoint.url"] = tokens.url
    kafka["settings_files"] = {"sasl.oauthbearer.client.secret": str(file)}
    with staged(secured_kafka, tmp_path) as stage:
        bridge = stage.bridge(kafka)
        bridge.change(log={"level": "debug"})
        bridge.start()
        stage.produce(usage(n) for n in range(1_000))
        stage.delivered(1_000)
        first = tokens.given
        eventually(lambda: tokens.given > 2 * first, "tokens were renewed")
        stage.produce(usage(n) for n in range(1_000, 2_000))
        stage.delivered(2_000)
        assert bridge.stop() == 0
        assert tokens.SECRET not in bridge.log.read_text()


class HttpsApi:
    """The sandbox behind mutual TLS, and what a bridge needs to reach it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers, self.clients = Authority("API servers"), Authority("API clients")
        self.server = SandboxServer(tls=self._server_context())
        self.settings: dict[str, Any] = {}

    def rotate(self) -> None:
        """New authorities on both sides, and every connection is made anew."""
        self.servers, self.clients = Authority("New API servers"), Authority("New API clients")
        self.server.stop()
        self.server.tls = self._server_context()
        self.server.start()

    def hand_out(self) -> ssl.SSLContext:
        """Writes the files for the bridge, and returns the test's own way in."""
        certificate, key = self.clients.issue("bridge").write(self._folder, "api-client")
        ca = self.servers.write(self._folder, "api-ca")
        self.settings = {
            "ca_file": str(ca),
            "client_certificate_file": str(certificate),
            "client_key_file": str(key),
        }
        return self.way_in()

    def way_in(self) -> ssl.SSLContext:
        """For the test itself, whatever files the bridge has."""
        context = ssl.create_default_context(cadata=self.servers.pem)
        context.load_cert_chain(*self.clients.issue("test").write(self._folder, "test"))
        return context

    def _server_context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.servers.issue("api").write(self._folder, "api"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.clients.pem)
        return context


def test_certificates_of_the_api_rotate_while_it_runs(
    mock_kafka: Cluster[MockBroker], tmp_path: Path
) -> None:
    api = HttpsApi(tmp_path)
    with api.server, staged(mock_kafka, tmp_path, server=api.server) as stage:
        stage.https = api.hand_out()
        bridge = stage.bridge(productiv=api.settings).start()
        stage.produce(usage(n) for n in range(1_000))
        stage.delivered(1_000)
        api.rotate()
        stage.https = api.way_in()
        stage.produce(usage(n) for n in range(1_000, 2_000))
        eventually(
            lambda: any("certificate verify failed" in line["reason"] for line in refused(bridge)),
            "it says that it does not trust the new authority",
        )
        assert stage.distinct() == 1_000
        api.hand_out()
        stage.delivered(2_000)
        eventually(lambda: settled(bridge), "all settled")
        assert balanced(bridge.books())
        assert not stage.buried()
        assert bridge.stop() == 0
        assert "PRIVATE KEY" not in bridge.log.read_text()


def refused(bridge: BridgeProcess) -> list[dict[str, Any]]:
    """What came of batches that were not accepted."""
    return bridge.logged("batch_not_accepted")


def test_an_api_of_an_unknown_authority_is_waited_for(
    mock_kafka: Cluster[MockBroker], tmp_path: Path
) -> None:
    api = HttpsApi(tmp_path)
    with api.server, staged(mock_kafka, tmp_path, server=api.server) as stage:
        stage.https = api.hand_out()
        ca = Path(api.settings["ca_file"])
        ca.write_text(Authority("Nobody").pem)
        bridge = stage.bridge(productiv=api.settings).start()
        eventually(lambda: bool(bridge.logged("no_access_token")), "it says why there is no token")
        assert "certificate verify failed" in bridge.logged("no_access_token")[0]["reason"]
        assert reasons(bridge).startswith("no access token")
        assert bridge.status("/healthz")[0] == 200
        ca.write_text(api.servers.pem)
        eventually(lambda: reasons(bridge) == "", "it is ready")
        assert bridge.stop() == 0


def test_a_key_that_does_not_fit_ends_the_start(mock_kafka: Cluster[MockBroker], tmp_path: Path) -> None:
    api = HttpsApi(tmp_path)
    with api.server, staged(mock_kafka, tmp_path, server=api.server) as stage:
        api.hand_out()
        Path(api.settings["client_key_file"]).write_text(api.clients.issue("other").key)
        bridge = stage.bridge(productiv=api.settings)
        bridge.begin()
        assert bridge.exit_code() == 2
        log = bridge.log.read_text()
        assert log.startswith("productiv-bridge: productiv.client_key_file: the key in ")
        assert "does not fit the certificate" in log

"""https with authorities of one's own and client certificates, which rotate while the client runs."""

import asyncio
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from bridge.config.tls import TlsFiles
from bridge.core.errors import ConfigError
from bridge.core.outcome import Accepted, Unavailable
from bridge.productiv.client import Client
from tests.certificates import Authority
from tests.productiv.clients import client_on, publish
from tests.productiv.wire import Do, Wire, reply

pytestmark = pytest.mark.anyio


class Place:
    """Two authorities, one for servers and one for clients, and the files of a client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers, self.clients = Authority("Servers"), Authority("Clients")
        self.certificate, self.key = self.clients.issue("bridge").write(folder, "bridge")
        self.files = TlsFiles("productiv", self.servers.write(folder), self.certificate, self.key)

    def server(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> ssl.SSLContext:
        """What a server that asks for a client's certificate works with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.maximum_version = version
        context.load_cert_chain(*self.servers.issue("server").write(self.folder, "server"))
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=self.clients.pem)
        return context

    @asynccontextmanager
    async def client(self, files: TlsFiles) -> AsyncIterator[tuple[Client, Wire]]:
        """A client with these files, and a server that closes each connection after its answer."""
        async with (
            Wire(lambda _: [reply(200, Connection="close"), Do.CLOSE], tls=self.server()) as wire,
            client_on(wire.url, certificates=files) as client,
        ):
            yield client, wire


@contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[str]:
    """A server that ends the handshake with an alert, which asyncio's would often lose; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener, ExitStack() as connections:

        def serve() -> None:
            raw, _ = listener.accept()
            connection = context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False)
            connections.enter_context(connection)
            with suppress(ssl.SSLError):
                connection.do_handshake()

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
        thread.join()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


async def test_token_and_batches_go_over_mutual_tls(place: Place) -> None:
    async with place.client(place.files) as (client, wire):
        assert await publish(client) == Accepted()
    assert len(wire.tokens_asked) == len(wire.seen) == 1


async def test_a_key_may_stand_in_the_file_of_its_certificate(place: Place) -> None:
    place.certificate.write_text(place.certificate.read_text() + place.key.read_text())
    async with place.client(replace(place.files, key=None)) as (client, _):
        assert await publish(client) == Accepted()


async def test_a_server_of_an_unknown_authority_is_not_spoken_to(place: Place) -> None:
    async with place.client(replace(place.files, ca=None)) as (client, wire):
        outcome = await publish(client)
    assert isinstance(outcome, Unavailable)
    assert "certificate verify failed: unable to get local issuer certificate" in outcome.reason
    assert not wire.tokens_asked


async def test_authorities_that_rotate_are_taken_up(place: Place) -> None:
    """Also the old one goes: a file that holds another authority trusts no server any more."""
    ca = place.files.ca
    assert ca is not None
    async with place.client(place.files) as (client, wire):
        ca.write_text(place.clients.pem)
        assert isinstance(await publish(client), Unavailable)
        ca.write_text(place.clients.pem + place.servers.pem)
        assert await publish(client) == Accepted()
        ca.write_text(place.clients.pem)
        client.reset()
        assert isinstance(await publish(client), Unavailable)
    assert len(wire.seen) == 1


async def test_a_certificate_that_rotates_is_shown_to_the_next_connection(place: Place) -> None:
    shown = []

    class Noting(Wire):
        async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            shown.append(int(writer.get_extra_info("peercert")["serialNumber"], 16))
            await super()._accept(reader, writer)

    first, second = place.clients.issue("bridge"), place.clients.issue("bridge")
    first.write(place.folder, "bridge")
    async with (
        Noting(lambda _: [reply(200, Connection="close"), Do.CLOSE], tls=place.server()) as wire,
        client_on(wire.url, certificates=place.files) as client,
    ):
        await publish(client)
        await publish(client)
        second.write(place.folder, "bridge")
        await publish(client)
    assert shown == [first.serial, first.serial, second.serial]


@pytest.mark.parametrize("broken", ["certificate", "key", "ca"])
async def test_files_that_break_are_named_and_mended_while_it_runs(place: Place, broken: str) -> None:
    path: Path = getattr(place.files, broken)
    aside = path.with_suffix(".aside")
    setting = {"certificate": "client_certificate_file", "key": "client_key_file", "ca": "ca_file"}[broken]
    async with place.client(place.files) as (client, _):
        path.rename(aside)  # noqa: ASYNC240
        outcome = await publish(client)
        assert outcome == Unavailable(
            "no access token: no connection to 127.0.0.1: ConnectError: "
            f"productiv.{setting}: cannot read the file {path}: No such file or directory"
        )
        aside.rename(path)
        assert await publish(client) == Accepted()


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("shown", ["none", "another authority's"])
async def test_a_refused_certificate_leaves_nothing_in_doubt(
    place: Place, version: ssl.TLSVersion, shown: str
) -> None:
    """By TLS 1.3 the client has sent its request when it hears of the refusal."""
    files = replace(place.files, certificate=None, key=None)
    if shown != "none":
        place.servers.issue("stranger").write(place.folder, "bridge")
        files = place.files
    with refusing(place.server(version)) as api:
        async with (
            Wire(lambda _: [reply(200)]) as tokens,
            client_on(api, certificates=files, token_url=f"{tokens.url}/token") as client,
        ):
            outcome = await publish(client)
    assert isinstance(outcome, Unavailable)
    assert "ALERT" in outcome.reason.upper()


def test_a_client_is_not_made_of_files_that_cannot_be_used(place: Place) -> None:
    place.clients.issue("another").write(place.folder, "another")
    other = replace(place.files, key=place.folder / "another.key")
    with pytest.raises(
        ConfigError, match=r"^productiv\.client_key_file: the key in .*another\.key does not fit"
    ):
        client_on("https://127.0.0.1:1", certificates=other)

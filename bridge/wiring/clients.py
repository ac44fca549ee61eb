"""Clients of the Productiv API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bridge import config
from bridge.productiv.auth import Credentials
from bridge.productiv.client import Client, OnRequest
from bridge.productiv.questions import Questions
from bridge.productiv.settings import ClientSettings
from bridge.streams import SINKS


def client_settings(productiv: config.Productiv) -> ClientSettings:
    """What clients of the API are told."""
    return ClientSettings(
        api_url=productiv.api_url,
        token_url=productiv.token_url,
        contract=productiv.contract,
        token_auth=productiv.token_auth,
        connect_timeout=productiv.timeouts.connect_seconds,
        write_timeout=productiv.timeouts.write_seconds,
        read_timeout=productiv.timeouts.read_seconds,
        pool_timeout=productiv.timeouts.pool_seconds,
        max_connections=productiv.max_connections,
        rate=productiv.share(productiv.requests_per_second),
        export_rate=productiv.share(productiv.export_requests_per_second),
        retry_after_cap=productiv.retry_after_cap_seconds,
        certificates=productiv.tls_files,
        compression=productiv.compression,
    )


def api_client(settings: config.Settings, on_request: OnRequest) -> Client:
    """The client, to be closed by whoever asked for it; `on_request` is told of each request."""
    productiv = settings.productiv
    return Client(
        client_settings(productiv),
        lambda: Credentials(productiv.current_client_id(), productiv.current_client_secret()),
        beside={
            stream.operation: stream.beside(settings.sinks[name])
            for name, stream in SINKS.items()
            if stream.beside is not None
        },
        on_request=on_request,
    )


@asynccontextmanager
async def questions(
    settings: config.Settings, on_request: OnRequest | None = None
) -> AsyncIterator[Questions]:
    """Questions to the API for as long as the block lasts.

    Raises:
        ConfigError: client id, secret or a certificate are not to be had.
    """
    settings.productiv.require_credentials()
    async with api_client(settings, on_request or (lambda operation, outcome, seconds: None)) as client:
        yield Questions(client)

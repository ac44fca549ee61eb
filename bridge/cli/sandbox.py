"""`productiv-bridge sandbox`: a Productiv to test against, until it is told to stop."""

import queue
import signal
from types import FrameType
from typing import Annotated

import typer

from bridge.sandbox import Credential, SandboxConfig, SandboxServer


def sandbox(
    port: Annotated[
        int, typer.Option(help="TCP port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8080,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    seed: Annotated[int, typer.Option(help="Decides tokens and faults, so that a run can be repeated.")] = 0,
    token_lifetime_seconds: Annotated[
        float, typer.Option(help="How long an access token is good.", min=1)
    ] = SandboxConfig.token_lifetime_seconds,
    rate_limit: Annotated[
        float | None,
        typer.Option(help="Requests a second before 429 is answered; no limit if not given.", min=0.1),
    ] = None,
    latency_seconds: Annotated[
        float, typer.Option(help="Time added to every API call.", min=0)
    ] = SandboxConfig.latency_seconds,
    keep_records: Annotated[
        int, typer.Option(help="Records of each kind kept per app to be looked at.", min=0)
    ] = SandboxConfig.keep_records_per_app,
) -> None:
    """Runs a sandbox Productiv API with switches for its bad days, until Ctrl-C or SIGTERM."""
    config = SandboxConfig(
        seed=seed,
        token_lifetime_seconds=token_lifetime_seconds,
        rate_limit=rate_limit,
        latency_seconds=latency_seconds,
        keep_records_per_app=keep_records,
    )
    # A queue, because putting into it is safe in a signal handler, and set up first, so no signal is missed.
    ends: queue.SimpleQueue[int] = queue.SimpleQueue()

    def end(number: int, _frame: FrameType | None) -> None:
        ends.put(number)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    with SandboxServer(config, host=host, port=port) as server:
        typer.echo(_introduction(server.url, config.credentials[0]))
        ends.get()
    typer.echo("The sandbox has ended.")


def _introduction(url: str, credential: Credential) -> str:
    usage = f"{url}/services/push/v1/customer/apps/my-app/usage-events"
    event = '{"timestamp": 1767225600000, "email": "a@example.com", "eventName": "opened_file"}'
    return f"""\
Productiv sandbox on {url}
  client id      {credential.client_id}
  client secret  {credential.client_secret}

A token, an event, what arrived, and a bad day:
  TOKEN=$(curl -s {url}/oauth2/token -d grant_type=client_credentials \\
    -d client_id={credential.client_id} -d client_secret={credential.client_secret} | \\
    sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl {usage} \\
    -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"events": [{event}]}}'
  curl {url}/_sandbox/state
  curl '{url}/_sandbox/events?app=my-app'
  curl {url}/_sandbox/faults -d '{{"kind": "status", "status": 429, "retry_after": 2, "times": 3}}'
  curl -X DELETE {url}/_sandbox/faults
  curl -X POST {url}/_sandbox/reset

Ctrl-C ends it."""

"""`productiv-bridge sandbox`: a Productiv to test against, until it is told to stop."""

import queue
import signal
from types import FrameType
from typing import Annotated

import typer

from bridge.sandbox import (
    AuditPlan,
    Credential,
    PortfolioPlan,
    SandboxConfig,
    SandboxServer,
    WorkflowPlan,
)

HISTORY_SECONDS = 3600
"""How far back the audit trail goes at the start."""
WORKFLOWS, MOST_EXECUTIONS = 5, 10_000
SECONDS_PER_STATE = 20
CHURN_SECONDS = 30


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
    audit_events_per_second: Annotated[
        float, typer.Option(help="Audit events that occur, from an hour ago on; 0 for none.", min=0)
    ] = 2.0,
    executions_per_second: Annotated[
        float, typer.Option(help="Executions of workflows that start; 0 for no workflows.", min=0)
    ] = 0.2,
    apps: Annotated[
        int, typer.Option(help="Apps in the portfolio, which come, change and go; 0 for none.", min=0)
    ] = 50,
) -> None:
    """Runs a sandbox Productiv API with switches for its bad days, until Ctrl-C or SIGTERM."""
    config = SandboxConfig(
        seed=seed,
        token_lifetime_seconds=token_lifetime_seconds,
        rate_limit=rate_limit,
        latency_seconds=latency_seconds,
        keep_records_per_app=keep_records,
        audit_events=_audit_plan(audit_events_per_second),
        workflows=_workflow_plan(executions_per_second),
        portfolio=PortfolioPlan(apps, CHURN_SECONDS) if apps else None,
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


def _audit_plan(per_second: float) -> AuditPlan | None:
    history = int(HISTORY_SECONDS * per_second)
    return AuditPlan(per_second, history_events=history) if per_second else None


def _workflow_plan(per_second: float) -> WorkflowPlan | None:
    if not per_second:
        return None
    return WorkflowPlan(WORKFLOWS, MOST_EXECUTIONS, per_second, seconds_per_state=SECONDS_PER_STATE)


def _introduction(url: str, credential: Credential) -> str:
    usage = f"{url}/services/push/v1/customer/apps/my-app/usage-events"
    event = '{"timestamp": 1767225600000, "email": "a@example.com", "eventName": "opened_file"}'
    return f"""\
Productiv sandbox on {url}
  client id      {credential.client_id}
  client secret  {credential.client_secret}

A token, an event, what there is to read, what arrived, and a bad day:
  TOKEN=$(curl -s {url}/oauth2/token -d grant_type=client_credentials \\
    -d client_id={credential.client_id} -d client_secret={credential.client_secret} | \\
    sed 's/.*"access_token":"\\([^"]*\\)".*/\\1/')
  curl {usage} \\
    -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
    -d '{{"events": [{event}]}}'
  for list in audit-events provisioning-workflows app-summaries; do
    curl -H "Authorization: Bearer $TOKEN" {url}/services/export/v1/customer/$list; done
  curl {url}/_sandbox/state
  curl '{url}/_sandbox/events?app=my-app'
  curl {url}/_sandbox/faults -d '{{"kind": "status", "status": 429, "retry_after": 2, "times": 3}}'
  curl -X DELETE {url}/_sandbox/faults
  curl -X POST {url}/_sandbox/reset

Ctrl-C ends it."""

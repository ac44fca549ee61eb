"""Puts the sandbox together as one ASGI application."""

import asyncio
import time
from collections.abc import Callable

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from bridge.sandbox.admin import Admin
from bridge.sandbox.apps import Apps
from bridge.sandbox.audit_events import AuditEvents
from bridge.sandbox.call import Part
from bridge.sandbox.config import SandboxConfig
from bridge.sandbox.connection import Sleep
from bridge.sandbox.endpoint import Endpoint, Surroundings
from bridge.sandbox.executions import Executions
from bridge.sandbox.faults import Faults
from bridge.sandbox.org_chart import OrgChart
from bridge.sandbox.portfolio import Portfolio
from bridge.sandbox.rate_limit import RateLimit
from bridge.sandbox.requests_seen import RequestsSeen
from bridge.sandbox.spend import Spend
from bridge.sandbox.tokens import Tokens
from bridge.sandbox.uploads import Uploads
from bridge.sandbox.usage import Usage
from bridge.sandbox.users import Users
from bridge.sandbox.workflows import Workflows


def application(
    config: SandboxConfig, clock: Callable[[], float] = time.time, sleep: Sleep = asyncio.sleep
) -> Starlette:
    """The sandbox as an ASGI application; it needs `Connection` under it to drop connections.

    `clock` gives seconds since the epoch, `sleep` lets seconds pass.
    """
    apps = Apps(config)
    tokens = Tokens(config, clock)
    workflows = Workflows(config)
    exports = (
        AuditEvents(config, clock),
        workflows,
        Executions(config, clock, workflows),
        Portfolio(config, clock, apps),
    )
    parts: list[Part] = [
        apps,
        Usage(config),
        Users(config),
        Spend(config),
        OrgChart(config),
        Uploads(config, clock),
        *exports,
    ]
    operations = [*tokens.operations(), *(operation for part in parts for operation in part.operations())]
    around = Surroundings(
        config=config,
        clock=clock,
        sleep=sleep,
        tokens=tokens,
        apps=apps,
        faults=Faults(config.seed, [operation.name for operation in operations]),
        seen=RequestsSeen(config.max_idempotency_keys),
        limit=RateLimit(config.rate_limit, clock) if config.rate_limit else None,
        export_limit=RateLimit(config.export_rate_limit, clock) if config.export_rate_limit else None,
    )
    switches = [switch for part in exports for switch in part.switches()]
    routes = [Route(o.path, Endpoint(o, around), methods=[o.method]) for o in operations]

    def refused(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        around.seen.count("unknown", str(status))
        body = orjson.dumps({"message": "no such address" if status == 404 else "no such method here"})
        return Response(body, status, media_type="application/json")

    return Starlette(
        routes=[*routes, *Admin(parts, switches, around).routes()],
        exception_handlers={HTTPException: refused},
    )

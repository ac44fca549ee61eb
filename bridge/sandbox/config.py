"""What a sandbox is started with: credentials, bounds, and how it behaves on a good day."""

from dataclasses import dataclass

from bridge.sandbox.plans import AuditPlan, PortfolioPlan, WorkflowPlan

SCOPE_PREFIX = "https://api.productiv.com/"
CONNECTOR_WRITE = SCOPE_PREFIX + "connector.write"
REPORT_READ = SCOPE_PREFIX + "report.read"
ALL_SCOPES = frozenset({CONNECTOR_WRITE, REPORT_READ})


@dataclass(frozen=True, slots=True)
class Credential:
    """A client that may ask for tokens, and the scopes it was given."""

    client_id: str = "sandbox"
    client_secret: str = "sandbox-secret"  # noqa: S105  (an example that opens nothing but this sandbox)
    scopes: frozenset[str] = ALL_SCOPES


@dataclass(frozen=True)
class SandboxConfig:
    """Everything a sandbox can be told at its start.

    `seed` decides tokens and faults. `token_lifetime_seconds` is how long a token is good.
    `rate_limit` is in requests per second over all calls, and `export_rate_limit` over those that read (the
    description: 20 a second); None for no limit. `latency_seconds` is added to every API call.
    `apps` are the only app ids known; None takes any id. `audit_events`, `workflows` and `portfolio` are what
    there is to be read; None: nothing.
    """

    credentials: tuple[Credential, ...] = (Credential(),)
    seed: int = 0
    token_lifetime_seconds: float = 3600.0
    rate_limit: float | None = None
    latency_seconds: float = 0.0
    apps: frozenset[str] | None = None
    export_rate_limit: float | None = 20.0
    audit_events: AuditPlan | None = None
    workflows: WorkflowPlan | None = None
    portfolio: PortfolioPlan | None = None

    upload_url_seconds: float = 900.0
    """How long a signed address for an upload is good."""
    keep_records_per_app: int = 100_000
    """Records of each kind whose content is kept per app, to be looked at."""
    keep_bytes: int = 256 * 1024 * 1024
    """Bytes of content kept in all; a usage event takes about 90."""
    max_identities: int = 8_000_000
    """Event identities told apart exactly: 8 bytes each in tables at most two thirds full, so 67 MB for
    five million and 134 MB for all of them. Beyond, the state says `identity_exact: false`."""
    max_apps: int = 10_000
    """Apps registered, app ids that books are kept for, and apps and workflows there are to be read, of each
    kind; one more is refused, so that a loop over random ids cannot fill the memory."""
    max_held: int = 1_000_000
    """Users in all apps, people in the org chart, files put, and audit events put by hand, of each kind:
    about 500 bytes each."""
    max_tokens: int = 10_000
    """Live tokens; with one more the oldest is forgotten."""
    max_body_bytes: int = 10 * 1024 * 1024
    """A longer request body, once it is unpacked, is answered 413."""
    gzip: bool = True
    """Whether bodies by gzip are taken, or answered 415 as any other content coding."""
    max_idempotency_keys: int = 10_000
    """The newest keys that are remembered to see repeats."""

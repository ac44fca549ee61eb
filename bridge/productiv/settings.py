"""What the client needs to be told. The configuration states all defaults."""

from dataclasses import dataclass
from typing import Literal

from bridge.productiv.certificates import CertificateFiles


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
    """Addresses, waits and limits of the client. It holds no secret: those come from a callable.

    `api_url` may end in a path; `token_url` is the whole address of the token endpoint. `token_auth` says
    whether the client id and secret travel in the body of the token request or in its Authorization header.
    Timeouts are in seconds: for a connection, for each piece sent or read, and for a free connection when all
    `max_connections` are in use. `rate` is requests per second at most, evenly spaced; None for no limit of
    our own; `export_rate` is the same for the calls of the export API, which do not count among the others.
    `retry_after_cap` is the longest wait in seconds that the API may ask for. `certificates` say whom to
    trust and who we are, at both addresses; None for the system's authorities and no certificate.
    `compression` is that of the bodies of batches.
    """

    api_url: str
    token_url: str
    contract: str
    token_auth: Literal["form", "basic"]
    connect_timeout: float
    write_timeout: float
    read_timeout: float
    pool_timeout: float
    max_connections: int
    rate: float | None
    export_rate: float | None
    retry_after_cap: float
    certificates: CertificateFiles | None = None
    compression: Literal["none", "gzip"] = "none"

    @property
    def deadline(self) -> float:
        """Seconds from asking for a connection to the headers of the answer, whatever the pieces take.

        Connecting has two steps (TCP, TLS), sending has two (headers, body), and the answer's headers may
        come in two pieces. A server that sends byte by byte would otherwise hold the request for ever.
        """
        return self.pool_timeout + 2 * (self.connect_timeout + self.write_timeout + self.read_timeout)

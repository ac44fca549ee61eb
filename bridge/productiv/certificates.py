"""Own authorities and client certificates for https, taken up when their files change."""

import ssl
from collections.abc import Iterable
from threading import Lock
from typing import Any, Protocol

import httpx2 as httpx

from bridge.core.errors import ConfigError


class CertificateFiles(Protocol):
    """PEM files, read anew whenever they are asked for."""

    @property
    def ca(self) -> object | None:
        """The file of the authorities to trust; None where the system's count."""
        ...

    def contents(self) -> tuple[str, ...]:
        """What stands in them now; raises ConfigError if that cannot be used."""
        ...

    def load_into(self, context: ssl.SSLContext) -> None:
        """Adds what they hold; raises ConfigError if that cannot be used."""
        ...


class FollowingContext(ssl.SSLContext):
    """A context that looks at its files for each new connection and starts anew when they have changed.

    Connections that stand keep what they were made with. The HTTP library makes them by `wrap_bio`, in a
    thread for contexts like this one, so that reading files holds nothing up.

    Raises:
        ConfigError: a file cannot be read, or does not hold what it should.
    """

    def __new__(cls, files: CertificateFiles) -> "FollowingContext":
        """The base class takes a protocol."""
        return super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)

    def __init__(self, files: CertificateFiles) -> None:
        self._files = files
        self._lock = Lock()
        self._protocols: list[str] = []
        self._seen = files.contents()
        self._context = self._made()

    def set_alpn_protocols(self, alpn_protocols: Iterable[str]) -> None:
        """Kept for the contexts to come."""
        self._protocols = list(alpn_protocols)

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """Begins a connection.

        Raises:
            SSLError: the files cannot be used just now; the words name the setting and the file.
        """
        try:
            context = self._now()
        except ConfigError as error:
            raise ssl.SSLError(0, str(error)) from None
        context.set_alpn_protocols(self._protocols)
        return context.wrap_bio(*args, **kwargs)

    def _now(self) -> ssl.SSLContext:
        with self._lock:
            seen = self._files.contents()
            if seen != self._seen:
                self._context = self._made()
                self._seen = seen
            return self._context

    def _made(self) -> ssl.SSLContext:
        own = self._files.ca is not None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if own else httpx.create_ssl_context()
        self._files.load_into(context)
        return context

"""Kafka's jars from Maven Central: downloaded once into a cache folder, each verified by its sha256.

KAFKA_JARS_URL      a Maven repository to use instead of Maven Central
KAFKA_JARS_CACHE    the folder to keep them in, instead of ~/.cache/productiv-bridge/kafka-jars
"""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.kafka_broker.broker import NotAvailable

MAVEN_CENTRAL = "https://repo1.maven.org/maven2"
LOCK = Path(__file__).with_name("jars.lock")
_CHECKOUT = Path(__file__).parents[2]
TRIES = 4
FIRST_WAIT_SECONDS = 0.5  # before the second try; doubled for each further one


class WrongChecksum(NotAvailable):
    """What was downloaded is not what jars.lock names."""


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of jars.lock."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"

    @property
    def path(self) -> str:
        return f"{self.group.replace('.', '/')}/{self.artifact}/{self.version}/{self.file_name}"


def read_lock(lock: Path = LOCK) -> list[Jar]:
    """The jars that jars.lock names."""
    lines = (line for line in lock.read_text().splitlines() if line and not line.startswith("#"))
    return [Jar(*line.replace(":", " ").split()) for line in lines]


def kafka_version() -> str:
    """The version of Kafka that jars.lock names."""
    return next(jar.version for jar in read_lock() if jar.artifact == "kafka-clients")


def cache_folder() -> Path:
    """The first folder that can be written to.

    Raises:
        NotAvailable: there is none.
    """
    for folder in _cache_folders():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=folder).close()
        except OSError:
            continue
        return folder
    raise NotAvailable("no folder to keep Kafka's jars in; name one in KAFKA_JARS_CACHE")


def _cache_folders() -> Iterator[Path]:
    if given := os.environ.get("KAFKA_JARS_CACHE"):
        yield Path(given)
        return
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        yield Path(xdg) / "productiv-bridge" / "kafka-jars"
    if home := os.environ.get("HOME"):
        yield Path(home) / ".cache" / "productiv-bridge" / "kafka-jars"
    yield _CHECKOUT / ".cache" / "kafka-jars"


def fetch(
    folder: Path | None = None, *, url: str | None = None, jars: Sequence[Jar] | None = None
) -> list[Path]:
    """The jars as verified files, those that are missing or damaged downloaded.

    Raises:
        NotAvailable: a jar cannot be downloaded.
        WrongChecksum: what was downloaded is not what jars.lock names.
    """
    folder = folder or cache_folder()
    jars = read_lock() if jars is None else jars
    files = [folder / jar.file_name for jar in jars]
    missing = [jar for jar, file in zip(jars, files, strict=True) if not _is_whole(file, jar)]
    if missing:
        url = url or os.environ.get("KAFKA_JARS_URL") or MAVEN_CENTRAL
        with httpx2.Client(timeout=30, follow_redirects=True) as client, ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda jar: _download(client, url.rstrip("/"), jar, folder), missing))
    return files


def _is_whole(file: Path, jar: Jar) -> bool:
    return file.is_file() and hashlib.sha256(file.read_bytes()).hexdigest() == jar.sha256


def _download(client: httpx2.Client, url: str, jar: Jar, folder: Path) -> None:
    for attempt in range(1, TRIES + 1):
        try:
            return _download_once(client, f"{url}/{jar.path}", jar, folder)
        except (httpx2.HTTPError, WrongChecksum) as error:
            if attempt == TRIES or _is_final(error):
                raise _as_not_available(error, jar) from error
        time.sleep(FIRST_WAIT_SECONDS * 2 ** (attempt - 1))
    raise AssertionError("unreachable")


def _download_once(client: httpx2.Client, address: str, jar: Jar, folder: Path) -> None:
    """Writes under another name first, so that nobody ever finds half a jar under its own."""
    part = folder / f"{jar.file_name}.{os.getpid()}.part"
    try:
        digest = _write(client, address, part)
        if digest != jar.sha256:
            raise WrongChecksum(f"{jar.file_name} has sha256 {digest}, but jars.lock names {jar.sha256}")
        part.replace(folder / jar.file_name)
    finally:
        part.unlink(missing_ok=True)


def _write(client: httpx2.Client, address: str, file: Path) -> str:
    """Downloads to the file and returns the sha256 of what came."""
    digest = hashlib.sha256()
    with client.stream("GET", address) as response, file.open("wb") as part:
        response.raise_for_status()
        for chunk in response.iter_bytes():
            digest.update(chunk)
            part.write(chunk)
    return digest.hexdigest()


def _is_final(error: Exception) -> bool:
    """Whether another try is pointless: the repository says that there is no such jar."""
    return isinstance(error, httpx2.HTTPStatusError) and error.response.status_code in (401, 403, 404)


def _as_not_available(error: Exception, jar: Jar) -> NotAvailable:
    if isinstance(error, WrongChecksum):
        return error
    # No str(error): it may hold the repository's address, and that may hold a password.
    status = f" (HTTP {error.response.status_code})" if isinstance(error, httpx2.HTTPStatusError) else ""
    return NotAvailable(f"cannot download {jar.file_name}: {type(error).__name__}{status}")

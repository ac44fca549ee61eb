"""One Kafka node, broker and controller in one, run from its jars."""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.kafka_broker import jars
from tests.kafka_broker.broker import BrokerFailed
from tests.kafka_broker.java import find_java
from tests.kafka_broker.ports import free_port
from tests.kafka_broker.ready import wait_until_ready
from tests.kafka_broker.secured import Secured
from tests.kafka_broker.settings import CLUSTER_ID, HEAP, SETTINGS

_LOG4J = """\
rootLogger.level=info
rootLogger.appenderRef.out.ref=out
appender.out.type=Console
appender.out.name=out
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{HH:mm:ss.SSS} %p %c{1} %m%n
"""
_STOP_SECONDS = 30


class LocalBroker:
    """A node with its data, settings and log in one folder; `secured` adds listeners of that kind."""

    kind = "local"

    def __init__(
        self, java: str, class_path: Sequence[Path], folder: Path, secured: Secured | None = None
    ) -> None:
        self._java = [*_ends_with_its_parent(), java, HEAP, "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]
        self._class_path = os.pathsep.join(str(jar) for jar in class_path)
        self._folder = folder
        self.secured = secured
        self._process: subprocess.Popen[bytes] | None = None
        self._controller = ""
        self.bootstrap = ""

    def start(self) -> None:
        """Starts the node; the first time on a fresh folder and fresh ports."""
        if not self.bootstrap:
            self._lay_out()
        self._write_settings()
        self._spawn()
        try:
            wait_until_ready(self.bootstrap, lambda: self._running().poll() is None)
        except BrokerFailed as error:
            self.kill()
            raise BrokerFailed(f"{error}; its log ends:\n{self.log_tail()}") from None

    def stop(self) -> None:
        """Shuts down in an orderly way."""
        process = self._running()
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            raise BrokerFailed(f"the broker did not stop; its log ends:\n{self.log_tail()}") from None
        self._process = None

    def kill(self) -> None:
        """SIGKILL: no goodbye to clients, no flush."""
        process = self._running()
        process.kill()
        process.wait(_STOP_SECONDS)
        self._process = None

    def restart(self) -> None:
        """`stop`, then `start`."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: connections stay open and nothing answers."""
        self._running().send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT, after `pause`."""
        self._running().send_signal(signal.SIGCONT)

    def close(self) -> None:
        """Ends the node without ceremony and removes its data; the log stays."""
        if self._process is not None:
            self.kill()
        shutil.rmtree(self._folder / "data", ignore_errors=True)

    def log_tail(self) -> str:
        """The last lines of the node's log."""
        lines = self._log.read_text(errors="replace").splitlines() if self._log.exists() else []
        return "\n".join(lines[-60:])

    @property
    def _log(self) -> Path:
        return self._folder / "kafka.log"

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise BrokerFailed("the broker is not running")
        return self._process

    def _lay_out(self) -> None:
        self.bootstrap, self._controller = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "log4j2.properties").write_text(_LOG4J)
        self._write_settings()
        self._format_storage()

    def _write_settings(self) -> None:
        listeners = f"PLAINTEXT://{self.bootstrap},CONTROLLER://{self._controller}"
        advertised = f"PLAINTEXT://{self.bootstrap}"
        settings = SETTINGS | {
            "listeners": listeners,
            "advertised.listeners": advertised,
            "controller.quorum.voters": f"1@{self._controller}",
            "log.dirs": str(self._folder / "data"),
        }
        if self.secured is not None:
            settings |= self.secured.settings(listeners, advertised)
        text = "".join(f"{key}={value}\n" for key, value in settings.items())
        (self._folder / "server.properties").write_text(text)

    def _format_storage(self) -> None:
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", "server.properties"]
        done = subprocess.run(
            self._command(*tool), cwd=self._folder, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode != 0:
            raise BrokerFailed(f"Kafka cannot format its storage:\n{done.stdout}{done.stderr}")

    def _spawn(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command("kafka.Kafka", "server.properties"),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which closes the broker last
            )

    def _command(self, *arguments: str) -> list[str]:
        logging = f"-Dlog4j2.configurationFile={(self._folder / 'log4j2.properties').as_uri()}"
        return [*self._java, logging, "-cp", self._class_path, *arguments]


def _ends_with_its_parent() -> list[str]:
    """On Linux, a prefix by which the broker dies with pytest, even when that is killed."""
    prefix = ["setpriv", "--pdeathsig", "KILL"]
    if shutil.which("setpriv") is None:
        return []
    works = subprocess.run([*prefix, "true"], capture_output=True, timeout=10, check=False).returncode == 0
    return prefix if works else []


def start_local(folder: Path, secured: Secured | None = None) -> LocalBroker:
    """A local broker in a folder of its own, started.

    Raises:
        NotAvailable: Java or the jars are not to be had.
        BrokerFailed: they are, but the broker does not run.
    """
    broker = LocalBroker(find_java(), jars.fetch(), folder, secured)
    broker.start()
    return broker

"""Finding a Java that can run Kafka."""

import os
import re
import shutil
import subprocess

from tests.kafka_broker.broker import NotAvailable

OLDEST = 17


def find_java() -> str:
    """The path of a Java that is new enough.

    Raises:
        NotAvailable: there is none.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=os.path.join(home, "bin")) if home else shutil.which("java")
    if java is None:
        raise NotAvailable(f"no Java in {'JAVA_HOME' if home else 'PATH'} (Java {OLDEST} or newer would do)")
    version = _version(java)
    if version < OLDEST:
        raise NotAvailable(f"{java} is not Java {OLDEST} or newer")
    return java


def _version(java: str) -> int:
    """Its major version, 0 if it does not say: macOS has a `java` that only tells you to install one."""
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=False)
    found = re.search(r'version "(\d+)', answer.stderr + answer.stdout)
    return int(found[1]) if found and answer.returncode == 0 else 0

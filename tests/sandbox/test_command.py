import re
import signal
import subprocess
import sys

import pytest

from tests.sandbox.driver import Driver, event

COMMAND = "import typer; from bridge.cli.sandbox import sandbox; typer.run(sandbox)"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_works_and_ends_cleanly(end: signal.Signals) -> None:
    arguments = [sys.executable, "-c", COMMAND, "--port", "0", "--token-lifetime-seconds", "60"]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.fullmatch(r"Productiv sandbox on (http://127\.0\.0\.1:\d+)\n", first)
        assert found, first
        driver = Driver(found[1])
        assert driver.ask_token().json()["expires_in"] == 60
        driver.login()
        assert driver.publish([event()]).status_code == 200
        process.send_signal(end)
        rest = process.stdout.read()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.wait(20) == 0
    for word in ("sandbox-secret", "curl", "/oauth2/token", "/_sandbox/faults"):
        assert word in rest

import re
import signal
import subprocess
import sys

import pytest

from tests.sandbox.driver import Driver, event

EXPORT = "/services/export/v1/customer"
COMMAND = "import typer; from bridge.cli.sandbox import sandbox; typer.run(sandbox)"


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_works_and_ends_cleanly(end: signal.Signals) -> None:
    arguments = [
        sys.executable,
        "-c",
        COMMAND,
        "--port",
        "0",
        "--token-lifetime-seconds",
        "60",
        "--apps",
        "3",
    ]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        found = re.fullmatch(r"Productiv sandbox on (http://127\.0\.0\.1:\d+)\n", first)
        assert found, first
        driver = Driver(found[1])
        assert driver.ask_token().json()["expires_in"] == 60
        driver.login()
        assert driver.publish([event()]).status_code == 200
        assert len(driver.call("GET", f"{EXPORT}/audit-events").json()["events"]) == 500
        assert driver.call("GET", f"{EXPORT}/provisioning-workflows/workflow-1/executions").json()[
            "executions"
        ]
        assert len(driver.call("GET", f"{EXPORT}/app-summaries").json()["apps"]) == 3
        process.send_signal(end)
        rest = process.stdout.read()
        assert process.stderr is not None
        assert process.stderr.read() == ""
    assert process.wait(20) == 0
    for word in ("sandbox-secret", "curl", "/oauth2/token", "/_sandbox/faults", "audit-events"):
        assert word in rest


def test_there_may_be_nothing_to_read() -> None:
    nothing = ["--audit-events-per-second", "0", "--executions-per-second", "0", "--apps", "0"]
    arguments = [sys.executable, "-c", COMMAND, "--port", "0", *nothing]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        driver = Driver(process.stdout.readline().split()[-1])
        assert driver.state()["company"] == {}
        process.terminate()

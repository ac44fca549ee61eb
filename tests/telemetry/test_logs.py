import io
import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import pytest
import structlog

from bridge.core.redact import EMAIL, REDACTED
from bridge.telemetry.logs import configure, librdkafka_logger

pytestmark = pytest.mark.usefixtures("own_logging")

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Lines:
    """What has been logged since, line by line; nothing may go to standard output."""

    def read() -> list[dict[str, Any]]:
        output = capsys.readouterr()
        assert output.out == ""
        return [json.loads(line) for line in output.err.splitlines()]

    return read


def log() -> Any:
    return structlog.get_logger("test")


def test_each_line_bears_the_number_of_the_worker(lines: Lines) -> None:
    configure("json", "info", worker=0)
    log().info("ours")
    logging.getLogger("asyncio").error("a library's")
    thread = threading.Thread(target=log().info, args=("of a thread",))
    thread.start()
    thread.join()
    assert [line["worker"] for line in lines()] == [0, 0, 0]


def test_each_line_is_written_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or those of two processes that share standard error would run into each other."""
    written: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    monkeypatch.setattr("sys.stderr", Stream())
    configure("json", "info")
    log().info("one")
    log().info("two")
    assert [json.loads(line)["event"] for line in written] == ["one", "two"]
    assert all(line.endswith("}\n") for line in written)


def test_each_event_is_one_line_of_json(lines: Lines) -> None:
    configure("json", "info")
    log().info("batch\nsent", records=3, app="crm", reason=None, share=0.5, ok=True)
    [line] = lines()
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "batch\nsent",
        "level": "info",
        "records": 3,
        "app": "crm",
        "reason": None,
        "share": 0.5,
        "ok": True,
    }


def test_for_a_terminal_it_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    log().info("batch_sent", to="ann@example.com")
    text = capsys.readouterr().err
    assert "batch_sent" in text
    assert EMAIL in text
    assert "ann@" not in text


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error"]),
        ("info", ["info", "warning", "error"]),
        ("warning", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_lines_below_the_level_are_left_out(lines: Lines, level: str, shown: list[str]) -> None:
    configure("json", level)
    for name in ("debug", "info", "warning", "error"):
        getattr(log(), name)("said")
    assert [line["level"] for line in lines()] == shown


# -- redaction -----------------------------------------------------------------------------------------------


@dataclass
class Shape:
    """Something of our own that somebody logs whole."""

    email: str = "ann@example.com"


SECRETS = ["ann@example.com", "s3cr3t", "c2lnbmVk"]


@pytest.mark.parametrize(
    "value",
    [
        "to ann@example.com",
        "Bearer s3cr3t",
        "client_secret=s3cr3t",
        "https://bucket.example/key?X-Signature=c2lnbmVk&expires=1",
        ["fine", "ann@example.com"],
        ("fine", ["Bearer s3cr3t"]),
        {"ann@example.com"},
        {"user": {"mail": ["ann@example.com"]}},
        {"ann@example.com": 1},
        {"access_token": "s3cr3t"},
        {"headers": {"Authorization": "s3cr3t"}},
        {"client_secrets": [{"secret": "s3cr3t"}]},
        {"password": b"s3cr3t"},
        {"token": ["s3cr3t"]},
        ValueError("no user ann@example.com"),
        ExceptionGroup("several", [ValueError("https://h.example/?c2lnbmVk")]),
        b"ann@example.com",
        Shape(),
    ],
    ids=repr,
)
def test_nothing_personal_and_no_secret_is_in_a_value(
    capsys: pytest.CaptureFixture[str], value: object
) -> None:
    for log_format in ("json", "console"):
        configure(log_format, "info")
        log().info("happened", value=value, left="as it is")
        text = capsys.readouterr().err
        assert EMAIL in text or REDACTED in text
        assert "as it is" in text
        assert not [secret for secret in SECRETS if secret in text]


def test_the_event_itself_is_redacted(lines: Lines) -> None:
    configure("json", "info")
    log().info("wrote to ann@example.com")
    assert lines()[0]["event"] == f"wrote to {EMAIL}"


def test_a_field_named_like_a_secret_goes_whole_and_others_stay(lines: Lines) -> None:
    configure("json", "info")
    log().info(
        "token_renewed", token="one two", token_url="https://h.example/t", token_seconds=3600, secret=None
    )
    [line] = lines()
    assert (line["token"], line["token_url"]) == (REDACTED, "https://h.example/t")
    assert (line["token_seconds"], line["secret"]) == (3600, None)


def fail() -> NoReturn:
    raise ValueError("ann@example.com was refused with Bearer s3cr3t")


def test_a_traceback_is_one_line_and_redacted(lines: Lines) -> None:
    configure("json", "info")
    try:
        fail()
    except ValueError:
        log().exception("failed")
    [line] = lines()
    assert line["level"] == "error"
    assert f"ValueError: {EMAIL} was refused with Bearer {REDACTED}" in line["exception"]
    assert "in fail" in line["exception"]


def test_nested_values_keep_their_shape(lines: Lines) -> None:
    configure("json", "info")
    log().info("stopping", outstanding={"usage": 3, "users": None}, streams=["usage"], partitions=(0, 1))
    [line] = lines()
    assert line["outstanding"] == {"usage": 3, "users": None}
    assert (line["streams"], line["partitions"]) == (["usage"], [0, 1])


# -- libraries -----------------------------------------------------------------------------------------------


def test_lines_of_librdkafka_are_events(lines: Lines) -> None:
    configure("json", "info")
    librdkafka_logger().warning("FAIL [%s]: sasl.password=%s", "thrd:ann@example.com", "s3cr3t")
    [line] = lines()
    assert (line["event"], line["level"]) == ("librdkafka", "warning")
    assert line["message"] == f"FAIL [thrd:{EMAIL}]: sasl.password={REDACTED}"


@pytest.mark.parametrize(("level", "shown"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_holds_for_librdkafka_too(lines: Lines, level: str, shown: int) -> None:
    configure("json", level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        librdkafka_logger().log(number, "said")
    assert len(lines()) == shown


def test_a_level_of_its_own_counts_as_the_next_below(lines: Lines) -> None:
    configure("json", "debug")
    for number in (5, 25, 60):
        librdkafka_logger().log(number, "said")
    assert [line["level"] for line in lines()] == ["info", "critical"]  # 5 is below all there are


def test_asking_for_the_logger_again_says_nothing_twice(lines: Lines) -> None:
    configure("json", "info")
    librdkafka_logger()
    librdkafka_logger().warning("said")
    configure("json", "info")
    logging.getLogger("some.library").warning("said")
    assert len(lines()) == 2


def test_warnings_of_libraries_are_events_in_the_same_form(lines: Lines) -> None:
    configure("json", "info")
    logging.getLogger("some.library").warning("cannot reach %s", "https://h.example/?c2lnbmVk")
    try:
        fail()
    except ValueError:
        logging.getLogger("asyncio").exception("Exception in callback")
    warning, error = lines()
    assert (warning["event"], warning["level"]) == ("some.library", "warning")
    assert warning["message"] == f"cannot reach https://h.example/?{REDACTED}"
    assert (error["event"], error["message"]) == ("asyncio", "Exception in callback")
    assert f"ValueError: {EMAIL}" in error["exception"]


def test_chatter_of_libraries_is_left_out(lines: Lines) -> None:
    """httpx tells each request at info, with its address."""
    configure("json", "info")
    logging.getLogger("some.library").info("HTTP Request: POST https://h.example")
    assert lines() == []

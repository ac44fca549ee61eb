"""Pages of an operations port, asked over HTTP."""

import json
import urllib.error
import urllib.request
from email.message import Message


def ask(url: str, accept: str = "*/*", method: str = "GET") -> tuple[int, bytes, Message]:
    """Status, body and headers of a page; a redirect counts as an answer."""

    class AsItIs(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *_: object) -> None:
            return None

    request = urllib.request.Request(url, headers={"Accept": accept}, method=method)
    try:
        with urllib.request.build_opener(AsItIs, urllib.request.ProxyHandler({})).open(
            request, timeout=10
        ) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers


def asked(url: str) -> tuple[int, object]:
    """Status and JSON of a page."""
    status, body, _ = ask(url)
    return status, json.loads(body)

"""Neither the client secret nor a token shows in anything that is logged, reported or shown."""

import base64
import logging

import pytest

from bridge.core.outcome import Outcome
from bridge.productiv.auth import Credentials, Token
from tests.productiv.clients import SECRET, client_on, credentials, publish
from tests.productiv.wire import Do, Script, Seen, Wire, reply, token_reply

pytestmark = pytest.mark.anyio
TOKEN = "plainlookingtoken"
HIDDEN = (SECRET, TOKEN, base64.b64encode(f"the-id:{SECRET}".encode()).decode())


@pytest.mark.parametrize("token_auth", ["form", "basic"])
async def test_no_secret_is_logged_or_shown(token_auth: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    batches: list[Script] = [
        [reply(200)],
        [reply(400, {"message": f"{TOKEN} is wrong", "errors": [{"index": 0, "message": f"for {TOKEN}"}]})],
        *[[reply(401, {"message": f"{TOKEN} has expired"})]] * 2,
        *[[reply(403, f"no: {TOKEN}".encode())]] * 2,
        [reply(200, f"{TOKEN} but no JSON".encode())],
        [reply(200, {"success": False, "message": TOKEN})],
        [Do.RESET],
    ]
    answers = iter(batches)
    outcomes: list[Outcome] = []

    def respond(request: Seen) -> Script:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        return next(answers)

    async with (
        Wire(respond, token_reply(TOKEN)) as wire,
        client_on(wire.url, token_auth=token_auth) as client,
    ):
        for _ in range(7):
            outcomes.append(await publish(client))
        assert next(answers, None) is None
        shown = [client, client._settings, client._tokens, client._tokens._slots, credentials()]
        wire.token = reply(400, {"error": "invalid_client", "error_description": f"{SECRET} is wrong"})
        client.reset()
        outcomes.append(await publish(client))
        wire.token = reply(200, {"access_token": TOKEN, "expires_in": [SECRET]})
        outcomes.append(await publish(client))

    assert len({type(outcome) for outcome in outcomes}) >= 4
    text = caplog.text + repr(shown) + str(shown) + repr(outcomes)
    assert "send_request_headers" in text, "the wire was logged in full"
    for hidden in HIDDEN:
        assert hidden not in text


def test_what_holds_a_secret_does_not_show_it() -> None:
    assert repr(Credentials("the-id", SECRET)) == "Credentials(client_id='the-id')"
    assert repr(Token(TOKEN, 0.0, 1.0, 2.0)) == "Token(asked_at=0.0, renew_at=1.0, expires_at=2.0)"

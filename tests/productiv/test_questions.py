"""Questions are asked again while that helps and does no harm, and explained when there is no answer."""

import logging
from typing import Any

import httpx2 as httpx
import orjson
import pytest

from bridge.core.backoff import Backoff
from bridge.core.outcome import Accepted, Denied, InDoubt, Outcome, Rejected, Throttled, Unavailable
from bridge.core.stream import Operation
from bridge.productiv.client import MAX_LIST_BYTES
from bridge.productiv.exchange import MAX_ANSWER_BYTES
from bridge.productiv.questions import ApiError, Questions
from tests.productiv.clients import Service, client_on
from tests.productiv.wire import Wire, reply

pytestmark = pytest.mark.anyio

USERS = {"users": [{"email": "ann@example.com", "role": "admin"}]}


class Asking:
    """Questions to a service that gives these answers in turn, and the waits between them."""

    def __init__(self, *answers: httpx.Response | type[httpx.RequestError], **changes: Any) -> None:
        self.waits: list[float] = []
        self.told: list[tuple[Operation, Outcome]] = []
        self._left = list(answers)
        self.service = Service(self._next)
        client = self.service.client(on_request=lambda o, r, _: self.told.append((o, r)), **changes)
        self.questions = Questions(
            client, backoff=Backoff(1.0, 4.0), sleep=self._sleep, draw=lambda: 1.0 - 1e-12
        )

    def _next(self, request: httpx.Request) -> httpx.Response:
        answer = self._left.pop(0)
        if isinstance(answer, httpx.Response):
            return answer
        raise answer("broken", request=request)

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(round(seconds, 3))


def ok(document: Any) -> httpx.Response:
    return httpx.Response(200, json=document)


async def test_users_are_listed() -> None:
    asking = Asking(ok(USERS))
    assert await asking.questions.users("a/b") == USERS["users"]
    (request,) = asking.service.api
    assert request.url.raw_path == b"/services/push/v1/customer/apps/a%2Fb/users"
    assert request.headers["authorization"] == "Bearer t-1"
    assert "content-type" not in request.headers
    assert asking.told == [(Operation.GET_USERS, Accepted())]


async def test_an_app_is_registered() -> None:
    asking = Asking(ok({"appId": "app-1", "appName": "Board"}))
    assert await asking.questions.register("Board", category="Design") == "app-1"
    (request,) = asking.service.api
    assert (request.method, request.headers["content-type"]) == ("POST", "application/json")
    assert orjson.loads(request.content) == {"appName": "Board", "appCategory": "Design"}


async def test_summaries_need_a_token_of_their_own_scope() -> None:
    asking = Asking(ok({"apps": [{"ApplicationId": "7", "AppName": "CRM"}]}))
    assert await asking.questions.summaries() == [{"applicationId": "7", "appName": "CRM"}]
    assert b"report.read" in asking.service.tokens[0].content


async def test_addresses_come_for_all_names_in_their_order() -> None:
    rows = [{"filename": name, "uploadUrl": f"https://s.test/{name}"} for name in ("b &?", "a")]
    asking = Asking(ok({"uploadUrls": rows}))
    urls = await asking.questions.upload_urls("7", ["a", "b &?"])
    assert list(urls.items()) == [("a", "https://s.test/a"), ("b &?", "https://s.test/b &?")]
    assert asking.service.api[0].url.params.get_list("filenames") == ["a", "b &?"]


async def test_an_address_that_is_missing_is_named_and_none_is_shown() -> None:
    asking = Asking(ok({"uploadUrls": [{"filename": "a", "uploadUrl": "https://s.test/plain-signed"}]}))
    with pytest.raises(
        ApiError, match=r"cannot get addresses .* app '7': the answer has none for 'b'"
    ) as error:
        await asking.questions.upload_urls("7", ["a", "b"])
    assert "plain-signed" not in str(error.value)


async def test_a_question_is_asked_again_until_it_is_answered() -> None:
    asking = Asking(
        httpx.Response(429, headers={"retry-after": "7"}),
        httpx.ConnectError,
        httpx.Response(502),
        httpx.ReadTimeout,
        ok(USERS),
    )
    assert await asking.questions.users("7") == USERS["users"]
    assert asking.waits == [7, 2, 4, 4]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(httpx.Response(503), Unavailable), (httpx.ReadTimeout, InDoubt), (httpx.Response(429), Throttled)],
)
async def test_after_five_tries_the_last_outcome_is_the_error(answer: Any, kind: type) -> None:
    asking = Asking(*[answer] * 6)
    with pytest.raises(ApiError, match=r"^cannot list the users of app '7': .*; try again later$") as error:
        await asking.questions.users("7")
    assert type(error.value.outcome) is kind
    assert len(asking.waits) == 4


async def test_a_registration_whose_answer_was_lost_is_not_sent_twice() -> None:
    asking = Asking(httpx.Response(503), httpx.ReadError, ok({"appId": "app-1"}))
    with pytest.raises(ApiError, match="cannot register 'Board'") as error:
        await asking.questions.register("Board")
    assert isinstance(error.value.outcome, InDoubt)
    assert len(asking.service.api) == 2  # the 503 provably registered nothing


@pytest.mark.parametrize(("status", "kind"), [(403, Denied), (404, Rejected)])
async def test_what_would_be_refused_again_is_not_repeated(status: int, kind: type) -> None:
    answer = httpx.Response(status, json={"message": "no app for ann@example.com"})
    asking = Asking(*[answer] * 2)
    with pytest.raises(ApiError, match="no app for \\[email\\]") as error:
        await asking.questions.users("7")
    assert isinstance(error.value.outcome, kind)
    assert asking.waits == []


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "not as described"),
        (b'{"provisionedUsers": []}', "it has no list under 'users'"),
        (b'{"users": [{"email": "https://s.test/x"', "its body is cut short or no JSON"),
    ],
)
async def test_an_answer_that_cannot_be_read_is_no_empty_list(body: bytes, why: str) -> None:
    asking = Asking(*[httpx.Response(200, content=body)] * 5)
    with pytest.raises(ApiError, match=why) as error:
        await asking.questions.users("7")
    assert "s.test" not in str(error.value)
    assert isinstance(asking.told[0][1], InDoubt)


@pytest.mark.parametrize("app", ["", "..", "\ud800"])
async def test_an_app_that_no_address_can_hold_is_not_asked_about(app: str) -> None:
    asking = Asking()
    with pytest.raises(ApiError, match="an id cannot be part of an address"):
        await asking.questions.users(app)


async def test_what_a_request_cannot_say_is_not_asked() -> None:
    asking = Asking()
    with pytest.raises(ApiError, match="what a request cannot say"):
        await asking.questions.register("\ud800")
    with pytest.raises(ApiError, match="what a request cannot say"):
        await asking.questions.upload_urls("7", ["\ud800"])
    assert asking.service.api == []


async def test_lists_may_be_long_and_are_bounded() -> None:
    many = {"users": [{"email": f"u{n}@example.com"} for n in range(MAX_ANSWER_BYTES // 20)]}
    asking = Asking(ok(many))
    assert await asking.questions.users("7") == many["users"]
    flood = [reply(200, length=2 * MAX_LIST_BYTES), *[b" " * MAX_ANSWER_BYTES] * 128]
    async with Wire(lambda request: flood) as wire, client_on(wire.url) as client:
        assert isinstance(await client.ask(Operation.GET_APP_SUMMARIES), InDoubt)
        assert wire.written < 1.5 * MAX_LIST_BYTES


async def test_no_token_and_no_address_shows(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    signed = "https://s.test/f?X-Signature=plainsigned"
    asking = Asking(
        ok({"uploadUrls": [{"filename": "f", "uploadUrl": signed}]}),
        *[httpx.Response(403, json={"message": "t-2 and t-3 are wrong"})] * 2,
    )
    assert await asking.questions.upload_urls("7", ["f"]) == {"f": signed}
    with pytest.raises(ApiError) as error:
        await asking.questions.upload_urls("7", ["f"])
    assert "plainsigned" not in caplog.text + str(error.value)
    assert "t-2" not in str(error.value)


async def test_what_goes_beside_the_records_goes_with_every_batch_of_its_operation() -> None:
    fields = [{"name": "Entity", "type": "string"}]
    service = Service()
    beside = {Operation.PUBLISH_ORG_CHART: {"custom_fields": fields}}
    async with service.client(beside=beside) as client:
        await client.publish(Operation.PUBLISH_ORG_CHART, "", [{"email": "ann@example.com"}], "key")
        await client.publish(Operation.PUBLISH_USERS, "7", [{"email": "ann@example.com"}], "key")
    bodies = [orjson.loads(request.content) for request in service.api]
    assert bodies == [
        {"users": [{"email": "ann@example.com"}], "customFieldsConfig": fields},
        {"users": [{"email": "ann@example.com"}]},
    ]
    assert service.api[0].method == "PUT"

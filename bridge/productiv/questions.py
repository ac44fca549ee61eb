"""Questions to the API as commands ask them: tried a few times, answered or explained."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import random
from typing import Any

from bridge.core.backoff import Backoff
from bridge.core.errors import BridgeError
from bridge.core.outcome import InDoubt, Throttled, Unavailable
from bridge.core.polling import Page
from bridge.core.record import Doc
from bridge.core.stream import Operation
from bridge.productiv.client import NOTHING, Client, Failed
from bridge.productiv.contracts import Question

TRIES = 5
BACKOFF = Backoff(0.5, 30.0)  # seconds; five tries wait 7.5 s at most, unless the API names a longer time


class ApiError(BridgeError):
    """A question has no answer. `outcome` is what its last try came to; the message says it in words."""

    def __init__(self, what: str, outcome: Failed) -> None:
        said = getattr(outcome, "excerpt", "")
        reason = outcome.reason if not isinstance(outcome, Throttled) else "the API asks us to slow down"
        super().__init__(f"{what}: {reason}{f': {said}' if said else ''}{_advice(outcome)}")
        self.outcome = outcome


class Questions:
    """Asks through a client. `sleep` lets seconds pass, `draw` gives numbers in [0, 1) for the waits."""

    def __init__(
        self,
        client: Client,
        *,
        backoff: Backoff = BACKOFF,
        tries: int = TRIES,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        draw: Callable[[], float] = random,
    ) -> None:
        self._client = client
        self._backoff = backoff
        self._tries = tries
        self._sleep = sleep
        self._draw = draw

    async def users(self, app: str) -> list[Doc]:
        """The users that the API holds for an app: `email`, and `firstName`, `lastName`, `role` if known.

        Raises:
            ApiError: there is no complete answer.
        """
        return await self._rows(f"cannot list the users of app {app!r}", Operation.GET_USERS, app)

    async def held(self, listing: Operation, app: str) -> list[Doc]:
        """The records that the API holds for an app, by the operation that lists them.

        Raises:
            ApiError: there is no complete answer.
        """
        return await self._rows(f"cannot list what the API holds of app {app!r}", listing, app)

    async def summaries(self) -> list[Doc]:
        """The company's apps: `applicationId`, and `appName`, `appStatus` and so on if known.

        Raises:
            ApiError: there is no complete answer.
        """
        return await self._rows("cannot list the apps at Productiv", Operation.GET_APP_SUMMARIES)

    async def register(self, name: str, **about: str) -> str:
        """Registers an app and returns its id; `about` are `description`, `category` and `url`.

        Raises:
            ApiError: it is not registered, or (`InDoubt`) nobody knows whether it is.
        """
        fields = {"name": name, **about}
        page = await self.page(f"cannot register {name!r}", Operation.REGISTER_APP, fields=fields)
        app_id: str = page.rows[0]["app_id"]
        return app_id

    async def upload_urls(self, app: str, filenames: Sequence[str]) -> dict[str, str]:
        """A signed address for each file name; whoever holds one may write the file, so show none.

        Raises:
            ApiError: there is no answer, or one without an address for each name.
        """
        what = f"cannot get addresses for uploads to app {app!r}"
        page = await self.page(
            what, Operation.GET_UPLOAD_URLS, {"app": app}, parameters={"filenames": list(filenames)}
        )
        urls = {row["filename"]: row["url"] for row in page.rows}
        if missing := [name for name in filenames if name not in urls]:
            raise ApiError(what, InDoubt(f"the answer has none for {missing[0]!r}"))
        return {name: urls[name] for name in filenames}

    async def page(
        self,
        what: str,
        operation: Operation,
        place: Mapping[str, str] = NOTHING,
        *,
        parameters: Mapping[str, Sequence[str]] = NOTHING,
        fields: Mapping[str, Any] = NOTHING,
    ) -> Page:
        """As `Client.ask`, again while that may help; `what` begins the sentence if it does not.

        Raises:
            ApiError: the last try had no answer either, or trying again would not help or might do harm.
        """
        failures = 0
        while True:
            answer = await self._client.ask(operation, place, parameters=parameters, fields=fields)
            if isinstance(answer, Page):
                return answer
            failures += 1
            if failures == self._tries or not _worth_another(answer, self._client.question(operation)):
                raise ApiError(what, answer)
            asked = answer.retry_after if isinstance(answer, Throttled) else None
            await self._sleep(asked or self._backoff.wait(failures, self._draw))

    async def _rows(self, what: str, operation: Operation, app: str = "") -> list[Doc]:
        return (await self.page(what, operation, {"app": app})).rows


def _worth_another(failed: Failed, question: Question) -> bool:
    if isinstance(failed, Throttled | Unavailable):
        return True  # provably nothing happened
    return isinstance(failed, InDoubt) and question.repeatable


def _advice(outcome: Failed) -> str:
    if isinstance(outcome, InDoubt | Unavailable | Throttled):
        return "; try again later"
    return ""

"""Provisioned users: who has an account in an app. A compacted topic; a null value takes the account away."""

from typing import Annotated, NotRequired

from pydantic import Field, StringConstraints
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on only

from bridge.core.stream import Deletions, Operation, SinkStream
from bridge.streams.fields import Email

# The API compares addresses without case. In lower case, two spellings are one user here too.
UserEmail = Annotated[Email, StringConstraints(to_lower=True)]
Name = Annotated[str, Field(max_length=256, description="text of at most 256 characters")]


class ProvisionedUser(TypedDict):
    """One user as the API takes it (API description, publishProvisionedUsers)."""

    email: UserEmail
    firstName: NotRequired[Name | None]
    lastName: NotRequired[Name | None]
    role: NotRequired[Name | None]


class FormerUser(TypedDict):
    """A user to remove as the API takes it (API description, deleteProvisionedUsers)."""

    email: UserEmail


# The API keeps a set of users per app: adding one again or removing one that is gone changes nothing there.
# An add and a removal of the same user must not overtake each other, though.
USERS = SinkStream(
    name="users",
    operation=Operation.PUBLISH_USERS,
    record=ProvisionedUser,
    identity=("email",),
    resend_safe=True,
    ordered=True,
    deletions=Deletions(Operation.DELETE_USERS, FormerUser, Operation.GET_USERS),
)

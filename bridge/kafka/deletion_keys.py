"""The keys of streams with deletions: `{app}/{identity}`, so that one record's history shares a partition."""

from collections.abc import Mapping

from bridge.core.record import Deletion
from bridge.core.stream import Deletions
from bridge.kafka.apps import Apps
from bridge.kafka.refusal import undecodable
from bridge.kafka.validation import Validator


class DeletionKeys:
    """Reads and writes the keys. The identity is the one field of the stream's deletion record."""

    def __init__(self, deletions: Deletions, apps: Apps) -> None:
        self._validator = Validator(deletions.record)
        [self._field] = self._validator.required
        self._apps = apps

    def read(self, key: bytes | None) -> tuple[str, Deletion]:
        """The app id and the deletion that a message without a value stands for.

        Raises:
            Refusal: the key is not of this form; the detail says what it should be.
        """
        wanted = f"a record without a value deletes, and its key must say what: app/{self._field}"
        try:
            app, slash, identity = (key or b"").decode().rpartition("/")
        except UnicodeDecodeError:
            raise undecodable(f"the key is not UTF-8 text; {wanted}") from None
        if not slash:
            raise undecodable(f"the key has no slash; {wanted}")
        doc = self._validator.one({self._field: identity})
        return self._apps.id_of(app), Deletion(doc)


def deletion_key(app: str, identity: str) -> bytes:
    """The key for a record and for its deletion; lower case, as the API compares identities without case."""
    return f"{app}/{identity.lower()}".encode()


def named_app(key: bytes | None, names: Mapping[str, str]) -> str | None:
    """The app id that a key of this form names, whether or not the app is known; None for any other key."""
    try:
        app, _, _ = (key or b"").decode().rpartition("/")
    except UnicodeDecodeError:
        return None
    return names.get(app, app) or None

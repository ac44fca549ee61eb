"""JSON text straight to validated documents: parsed and checked in one step instead of two.

It takes what the two steps of `TopicDecoder` take, and says nothing of what is wrong: whatever it does not
take goes through the two steps, which know the words. What it does not read, a field that the stream does not
declare, it does not judge either.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Annotated, Any, NotRequired

import msgspec
from pydantic import TypeAdapter
from pydantic_core import SchemaValidator
from pydantic_core.core_schema import list_schema
from typing_extensions import TypedDict

from bridge.core.record import Doc
from bridge.kafka.refusal import invalid

# Constraints by their names in pydantic's core schema, which are those of msgspec.
_BOUNDS, _LENGTHS = {"ge", "le"}, {"min_length", "max_length"}
_BESIDE = {"type", "metadata"}
# People come again. 32,768 addresses of 30 characters take 4 MB; above it the memory starts afresh.
REMEMBERED = 32_768


class _Texts:
    """Holds texts of one field against its pattern, and remembers those that fit."""

    def __init__(self, name: str, pattern: SchemaValidator) -> None:
        self._of = itemgetter(name)
        self._pattern = pattern
        self._good: set[str] = set()

    def check(self, docs: Sequence[Doc]) -> None:
        """Raises ValidationError if the text of at least one document does not fit."""
        if self._good.issuperset(map(self._of, docs)):
            return
        new = set(map(self._of, docs)) - self._good
        self._pattern.validate_python(list(new))
        if len(self._good) + len(new) > REMEMBERED:
            self._good.clear()
        self._good |= new


class DirectJson:
    """Reads values as records of a TypedDict with pydantic's constraints, and the field of the app.

    Patterns are left to pydantic, as msgspec is slow at them.
    """

    def __init__(
        self, types: Mapping[str, Any], patterned: Mapping[str, SchemaValidator], app: str | None
    ) -> None:
        self._app = None if app in types else app
        of_app = {} if self._app is None else {self._app: NotRequired[Any]}
        record: Any = TypedDict("Record", {**types, **of_app})  # type: ignore[misc]
        self._decode: Callable[[bytes], Any] = msgspec.json.Decoder(record).decode
        self._texts = [_Texts(name, pattern) for name, pattern in patterned.items()]

    def many(self, values: Sequence[bytes]) -> list[Doc]:
        """The records of a chunk, with their declared fields and still with the app's.

        Raises:
            Refusal: at least one is not such a record, or is nested too deeply to tell; not why.
        """
        try:
            docs = list(map(self._decode, values))
            for texts in self._texts:
                texts.check(docs)
        except (msgspec.DecodeError, ValueError, RecursionError):  # pydantic's and Unicode's are ValueErrors
            raise invalid("at least one value of the chunk is no such record") from None
        return docs

    def without_app(self, docs: Sequence[Doc]) -> None:
        """Takes the app out of the documents, once it has been read there."""
        if self._app is not None:
            for doc in docs:
                doc.pop(self._app, None)


def direct_json(record: type, app: str | None) -> DirectJson | None:
    """What reads a stream's records so; None if they hold more than texts and whole numbers within limits.

    It goes by what pydantic itself makes of the declaration, so that nothing declared can be overlooked.
    """
    schema: Any = TypeAdapter(record).core_schema
    types: dict[str, Any] = {}
    patterned: dict[str, SchemaValidator] = {}
    for name, field in schema.get("fields", {}).items():
        declared = field["schema"]
        said = declared.keys() - _BESIDE
        limits = msgspec.Meta(**{each: declared[each] for each in said & (_BOUNDS | _LENGTHS)})
        if not field["required"]:
            return None
        if declared["type"] == "int" and _BOUNDS <= said <= _BOUNDS | {"strict"}:
            types[name] = Annotated[int, limits]
        elif declared["type"] == "str" and said <= _LENGTHS | {"pattern"}:
            types[name] = Annotated[str, limits]
            if "pattern" in said:
                patterned[name] = SchemaValidator(list_schema(declared))
        else:
            return None
    return DirectJson(types, patterned, app) if types else None

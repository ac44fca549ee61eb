"""The section of each sink: what all sinks have, and what its stream declares of its own."""

from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, create_model
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on only

from bridge.config.sinks import Sink
from bridge.core.stream import SinkStream
from bridge.streams import SINKS


def _section(stream: SinkStream) -> type[Sink]:
    if stream.options is None:
        return Sink
    title = "".join(part.title() for part in stream.name.split("_"))
    bases: Any = (stream.options, Sink)
    made: type[Sink] = create_model(f"{title}Sink", __base__=bases, __doc__=Sink.__doc__)
    return made


SECTIONS: dict[str, type[Sink]] = {name: _section(stream) for name, stream in SINKS.items()}

if TYPE_CHECKING:
    Sinks = dict[str, Sink]
else:
    # As a type with a key for each stream, so that what is wrong is told with its place.
    Sinks = TypedDict("Sinks", SECTIONS, total=False)
    Sinks.__pydantic_config__ = ConfigDict(extra="forbid")

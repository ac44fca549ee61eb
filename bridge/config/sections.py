"""The section of each stream: what all sinks or sources have, and what its stream declares of its own."""

from copy import copy
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, create_model
from pydantic.fields import FieldInfo
from typing_extensions import TypedDict  # pydantic takes typing.TypedDict from Python 3.12 on only

from bridge.config.sinks import Sink
from bridge.config.sources import Source
from bridge.core.polling import SourceStream
from bridge.core.stream import SinkStream
from bridge.streams import SINKS, SOURCES


def _sink(stream: SinkStream) -> type[Sink]:
    if stream.options is None:
        return Sink
    bases: Any = (stream.options, Sink)
    made: type[Sink] = create_model(f"{_title(stream.name)}Sink", __base__=bases, __doc__=Sink.__doc__)
    return made


def _source(stream: SourceStream) -> type[Source]:
    bases: Any = (stream.options, Source)
    interval: Any = (
        float,
        _with_default(Source.model_fields["poll_interval_seconds"], stream.interval_seconds),
    )
    made: type[Source] = create_model(
        f"{_title(stream.name)}Source", __base__=bases, __doc__=Source.__doc__, poll_interval_seconds=interval
    )
    return made


def _title(name: str) -> str:
    return "".join(part.title() for part in name.split("_"))


def _with_default(field: FieldInfo, default: object) -> FieldInfo:
    changed = copy(field)
    changed.default = default
    return changed


SINK_SECTIONS: dict[str, type[Sink]] = {name: _sink(stream) for name, stream in SINKS.items()}
SOURCE_SECTIONS: dict[str, type[Source]] = {name: _source(stream) for name, stream in SOURCES.items()}

if TYPE_CHECKING:
    Sinks = dict[str, Sink]
    Sources = dict[str, Source]
else:
    # As types with a key for each stream, so that what is wrong is told with its place.
    Sinks = TypedDict("Sinks", SINK_SECTIONS, total=False)
    Sinks.__pydantic_config__ = ConfigDict(extra="forbid")
    Sources = TypedDict("Sources", SOURCE_SECTIONS, total=False)
    Sources.__pydantic_config__ = ConfigDict(extra="forbid")

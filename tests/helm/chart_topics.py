"""The chart's list of topics: python -m tests.helm.chart_topics > helm/productiv-bridge/files/topics.yaml"""

from collections.abc import Iterator
from typing import Any

import yaml
from confluent_kafka.cimpl import NewTopic

from bridge.config import Settings
from bridge.kafka.create_topics import of_records
from bridge.kafka.topics import load_all, load_outputs
from bridge.streams import SINKS, SOURCES
from bridge.wiring import needed_topics

HEAD = """\
# Written by `python -m tests.helm.chart_topics`, from topics/*.yaml and what the bridge creates beside them.
# `for` are the streams that need the topic, `setting` is where the configuration gives it another name,
# `file` is the file in topics/ that it is the subject of.
"""


def page() -> str:
    """The whole file."""
    return HEAD + yaml.safe_dump(list(_entries()), sort_keys=False)


def _entries() -> Iterator[dict[str, Any]]:
    for stream, topic in load_all().items():
        there = ["topic", "dead_letter_topic"]
        there += ["in_doubt_topic"] if topic.in_doubt else []
        there += ["parked_topic"] if topic.parked else []
        for key, new in zip(there, of_records([topic], -1), strict=True):
            described = {"file": stream, "kind": "sink"} if key == "topic" else {}
            yield _entry(new, [stream], f"sinks.{stream}.{key}", described)
    for output, each in load_outputs().items():
        [new] = of_records([each], -1)
        setting = f"sources.{each.source}.topics.{output}"
        yield _entry(new, [each.source], setting, {"file": output, "kind": "source"})
    yield from _shared()


def _shared() -> Iterator[dict[str, Any]]:
    """The topics that are the bridge's own, with the streams for which a run needs each."""
    settings = Settings()
    names = {f"kafka.{key}_topic": getattr(settings.kafka, f"{key}_topic") for key in ("journal", "cursors")}
    names |= {"kafka.decisions_topic": settings.kafka.decisions_topic, "apps.topic": settings.apps.topic}
    needed = {
        stream: {new.topic: new for new in needed_topics(settings, [stream])} for stream in (*SINKS, *SOURCES)
    }
    for setting, name in names.items():
        streams = [stream for stream, topics in needed.items() if name in topics]
        yield _entry(needed[streams[0]][name], streams, setting, {})


def _entry(new: NewTopic, streams: list[str], setting: str, more: dict[str, str]) -> dict[str, Any]:
    told = {"name": new.topic, "for": streams, "setting": setting, **more}
    return told | {"partitions": new.num_partitions, "config": dict(new.config or {})}


if __name__ == "__main__":
    print(page(), end="")

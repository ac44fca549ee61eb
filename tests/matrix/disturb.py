"""What happens in the middle of a cell, and how much may go out twice for it."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from tests.flows.process import eventually
from tests.kafka_broker.ready import wait_until_ready
from tests.matrix.cells import Disturbance
from tests.matrix.scene import PARTITIONS, SESSION_MS, Scene

if TYPE_CHECKING:
    from tests.kafka_broker.broker import OwnBroker

PAUSE_SECONDS = SESSION_MS / 1000 + 1
"""Longer than a consumer's session, so that both sides take the other for gone."""

MOST_SET_BACK = 500
"""Of the records of a partition, which are more in a long run than in a cell."""

Offsets = dict[tuple[str, int], int]


def nothing(scene: Scene) -> Offsets:
    """All goes well."""
    return scene.watch.committed()


def kill(scene: Scene) -> Offsets:
    """SIGKILL, and a new start at once."""
    bridge = scene.bridges[0]
    bridge.kill()
    before = scene.watch.committed()
    bridge.start()
    return before


def terminate(scene: Scene) -> Offsets:
    """SIGTERM, an orderly end, and a new start."""
    bridge = scene.bridges[0]
    assert bridge.stop() == 0, "SIGTERM is an orderly end"
    before = scene.watch.committed()
    bridge.start()
    return before


def join(scene: Scene) -> Offsets:
    """A second member joins and gets partitions."""
    before = scene.watch.committed()
    second = scene.bridge().start()
    eventually(lambda: assigned(scene, -1) > 0, "the second member has partitions")
    assert second.running
    return before


def leave(scene: Scene) -> Offsets:
    """One of the members leaves in order."""
    before = scene.watch.committed()
    assert scene.bridges.pop(0).stop() == 0, "SIGTERM is an orderly end"
    others, partitions = range(len(scene.bridges)), PARTITIONS * len(scene.streams)
    eventually(
        lambda: sum(assigned(scene, n) for n in others) == partitions, "the others have all partitions"
    )
    return before


def restart(scene: Scene) -> Offsets:
    """The broker stops in order and starts again."""
    before = scene.watch.committed()
    _own_broker(scene).restart()
    return before


def pause(scene: Scene) -> Offsets:
    """The broker stands still for longer than a session."""
    before = scene.watch.committed()
    broker = _own_broker(scene)
    broker.pause()
    time.sleep(PAUSE_SECONDS)
    broker.resume()
    wait_until_ready(broker.bootstrap, lambda: True)
    return before


def reset(scene: Scene) -> Offsets:
    """The groups' offsets are set back to half of what was committed, while nobody is there."""
    for bridge in scene.bridges:
        assert bridge.stop() == 0, "SIGTERM is an orderly end"
    committed = {part: offset for part, offset in scene.watch.committed().items() if part[0] in scene.streams}
    before = {part: max(offset // 2, offset - MOST_SET_BACK) for part, offset in committed.items()}
    scene.watch.set_back(before)
    for bridge in scene.bridges:
        bridge.start()
    return before


DISTURB: dict[Disturbance, Callable[[Scene], Offsets]] = {
    Disturbance.NONE: nothing,
    Disturbance.KILL: kill,
    Disturbance.TERM: terminate,
    Disturbance.JOIN: join,
    Disturbance.LEAVE: leave,
    Disturbance.RESTART: restart,
    Disturbance.PAUSE: pause,
    Disturbance.RESET: reset,
}
"""Each returns the offsets committed when it struck: what was accepted beyond them may go out again."""


def assigned(scene: Scene, bridge: int) -> int:
    """How many partitions a bridge has, over all streams."""
    return int(scene.bridges[bridge].metric("bridge_assigned_partitions"))


def _own_broker(scene: Scene) -> "OwnBroker":
    broker: OwnBroker = scene.kafka.broker  # type: ignore[assignment]  # cells say that they need it
    return broker

"""The one place that builds real clients from settings and sets them to work."""

from bridge.wiring.apps import register_apps, remembered_apps, with_app_ids
from bridge.wiring.clients import client_settings, questions
from bridge.wiring.commands import in_doubt, reconciler, resolver
from bridge.wiring.dead_letters import DeadLetterDesk, dead_letter_desk
from bridge.wiring.planning import create_planned, needed_topics, plan_topics
from bridge.wiring.resuming import order_resume
from bridge.wiring.run import Running, poll_once, run
from bridge.wiring.sources import cursor_topic, output_topics, output_wire
from bridge.wiring.topics import outgoing, sink_topics, wire
from bridge.wiring.workers import end_with_supervisor, supervise, tell_supervisor, worker_settings

__all__ = [
    "DeadLetterDesk",
    "Running",
    "client_settings",
    "create_planned",
    "cursor_topic",
    "dead_letter_desk",
    "end_with_supervisor",
    "in_doubt",
    "needed_topics",
    "order_resume",
    "outgoing",
    "output_topics",
    "output_wire",
    "plan_topics",
    "poll_once",
    "questions",
    "reconciler",
    "register_apps",
    "remembered_apps",
    "resolver",
    "run",
    "sink_topics",
    "supervise",
    "tell_supervisor",
    "wire",
    "with_app_ids",
    "worker_settings",
]

"""Puts sample records of each stream on its topic, now and then one that cannot be read, until SIGTERM."""

import os
import signal
import threading
import time
from random import Random

from bridge import config, wiring
from bridge.demo.samples import ACTS
from bridge.kafka.refusal import Refusal
from bridge.kafka.sending import file_producer

RATES = {"usage": 200, "users": 5, "org_chart": 5, "spend": 5}
"""Records a second."""

ended = threading.Event()
for number in (signal.SIGTERM, signal.SIGINT):
    signal.signal(number, lambda *_: ended.set())

settings = config.load(None, os.environ)
topics = wiring.sink_topics(settings)
producer = file_producer(settings.kafka.client_settings())
samples = {name: ACTS[name].samples(Random(), time.time) for name in topics}
writers = {name: wiring.outgoing(settings, topic) for name, topic in topics.items()}
while not ended.wait(1):
    for name, topic in topics.items():
        for _ in range(RATES[name]):
            try:
                message = writers[name].message(next(samples[name]).record)
            except Refusal:
                producer.produce(topic.topic, b"this cannot be read", b"spoilt")
            else:
                producer.produce(topic.topic, message.value, message.key, headers=message.headers)
    producer.poll(0)
producer.flush()

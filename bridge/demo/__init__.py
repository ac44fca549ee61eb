"""The whole bridge on one laptop: embedded Kafka, sandbox API, sample producers, the real thing between."""

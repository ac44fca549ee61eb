"""A bridge between Kafka and the Productiv API."""

__version__ = "0.1.0"

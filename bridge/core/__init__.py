"""The engine without a client library, a clock or any input and output of its own."""

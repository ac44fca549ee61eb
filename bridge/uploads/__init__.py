"""Batch files to Productiv: which to send, sending them, and remembering what was sent."""

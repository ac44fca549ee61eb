"""Other programs for the same job, each as a competent user would write or configure it.

Each takes `BOOTSTRAP TOPIC FORMAT API_URL GROUP GATHER`, says `ready` when its imports are over, posts JSON
arrays of at most 1000 events, commits offsets after the API took what stands before them, and ends in order
on SIGTERM. `GATHER` is how many records it may hold before it posts, so that batches by app fill as the
bridge's do; it is never more than the bridge's own bound of 100,000. Nor may a batch wait for longer than
the bridge's, 5 seconds.

quix                    Quix Streams: a sink of its own, flushed at each checkpoint
arroyo                  Arroyo: a strategy of Reduce, a task that posts, and CommitOffsets
faststream              FastStream on confluent-kafka: a batch subscriber
mq_bridge               mq-bridge: a route in Rust, from `kafka` to `http_bulk`
redpanda_connect.yaml   Redpanda Connect: `redpanda` to `http_client`, a process of Go

`NAME.in` says what the environment of a peer in Python holds; `make lock` writes `NAME.txt` from it.
"""

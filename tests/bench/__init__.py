"""How fast the bridge is, beside a loop that does the least anyone could do: `make bench`.

job                what crosses: how many events, of how many apps, over how many partitions, in which format
load               puts them on a topic of a real Kafka
floor              the least: consume and decode, and nothing else or a plain post to the API; a process
counting_server    an API that only counts, so that it is not what is measured; a process
api                that server, or the sandbox, started and ended
watched            a process whose CPU time and memory are measured
bridge_run         one run of the bridge, held against its own books
contestants        the processes that take turns, and one run of each
verify             one more run against the sandbox, which tells every event from every other
rounds             all of it in turn
arrivals           what an API or a loop got, and when
figures            medians and ratios
machine            versions
report             a table, JSON, Markdown
"""

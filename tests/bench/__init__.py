"""How fast the bridge is, beside the least that anyone could do and beside other programs: `make bench`.

throughput         section: the same events through every contestant, in turn

latency            section: a slow API, a limit of requests, one event a second
scale              section: many partitions, many apps, a backlog while the API is down
sources            section: audit events, from the API to their topic
audit_server       an API with an audit trail that is there already; a process
quick              the bridge's ratios to the floors, against those that were accepted last
job                what crosses: how many events, of how many apps, over how many partitions, in which format
load               puts them on a topic of a real Kafka
least              decoding, gathering by app and posting, with nothing more than that takes
floor              consume and decode, and nothing else or a plain post to the API; a process
peers              other programs for the job; processes
installed          those, each in an environment of its own, made where it is not there
peer_run           one run of a peer
counting_server    an API that only counts, so that it is not what is measured; a process
small_http         what its HTTP is made of
api                that server, or the sandbox, started and ended
watched            a process whose CPU time and memory are measured
track              what a contestant gets
bridge_run         one run of the bridge, held against its own books
committed          what consumer groups committed
contestants        the processes that take turns, and one run of each
verify             one more run against the sandbox, which tells every event from every other
rounds             all of it in turn
ground             a broker for all sections, and progress shown
arrivals           what an API or a loop got, and when
figures            medians and ratios
machine            versions
tables, bars       how figures are shown
chapter            what a section came to, kept until the page is written
"""

"""A Kafka broker for the tests, from wherever one is to be had.

choose      which one, or why none
external    an address given in the environment
docker      the apache/kafka image in a container
local       Kafka's jars, run with this machine's Java
jars        those jars: downloaded once, verified by jars.lock
mock        librdkafka's built-in cluster, for the tests it can serve
cluster     what a test sees of any of them
"""

"""How a broker for tests is set up, the same in a container and outside."""

CLUSTER_ID = "cHJvZHVjdGl2LWJyaWRnZQ"  # 16 bytes in URL-safe base64, as Kafka wants it

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",  # a test that misspells its topic must fail
    "message.max.bytes": str(10 * 1024 * 1024),
    # One node cannot replicate; few partitions make the first group and the first transaction quick.
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # Tests cannot wait the 3 s before a first rebalance, nor 6 s for a killed consumer to be missed.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # A node that a busy machine keeps waiting for longer is shut out of its own cluster for a while: then
    # there is no leader and no coordinator. After SIGKILL it waits as long until its former self is gone.
    "broker.session.timeout.ms": "20000",
    "log.cleaner.dedupe.buffer.size": str(16 * 1024 * 1024),  # a quarter of the 512 MB heap by default
}

HEAP = "-Xmx512m"

"""Runs the scenarios with confluent-kafka for Python, which is librdkafka."""

import argparse
import json
import sys
import threading
import time

from confluent_kafka import (
    OFFSET_BEGINNING, OFFSET_END, Consumer, ConsumerGroupState, ConsumerGroupTopicPartitions,
    IsolationLevel, KafkaError, KafkaException, Producer, TopicCollection, TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)

CLIENT = "confluent-kafka-python"
EPOCH = 1_700_000_000_000  # the timestamp of the first record of positions


class Skip(Exception):
    """Ends a scenario that this client cannot do."""


class Scenario:
    """What a scenario is given, and where it says what it saw."""

    def __init__(self, args, name):
        self.bootstrap, self.flaky, self.copies = args.bootstrap, args.flaky, args.copies
        self.topic = self.group = f"{CLIENT}.{name}{args.suffix}"
        self.observed = {}
        self.admin = AdminClient(self.config())

    def observe(self, key, value):
        self.observed[key] = value

    def config(self, **more):
        base = {"bootstrap.servers": self.bootstrap, "client.id": CLIENT, "log_level": 0}
        return base | {k.replace("_", "."): v for k, v in more.items() if v is not None}

    def create(self, partitions, **configs):
        topic = NewTopic(self.topic, partitions, self.copies, config={k.replace("_", "."): v for k, v in configs.items()})
        want("create", code(self.admin.create_topics([topic])[self.topic]), 0)
        eventually("partitions", lambda: len(self.admin.list_topics(self.topic, timeout=10).topics[self.topic].partitions), partitions)

    def send(self, messages, **more):
        """Produces (key, value, headers, timestamp) and raises the first error."""
        errors = []
        producer = Producer(self.config(**more))
        for key, value, headers, timestamp in messages:
            producer.produce(self.topic, partition=0, key=key, value=value, headers=headers, timestamp=timestamp,
                             on_delivery=lambda err, _: errors.append(err) if err else None)
        want("left in the queue", producer.flush(30), 0)
        if errors:
            raise KafkaException(errors[0])

    def consumer(self, **more):
        return Consumer(self.config(**{"group_id": self.group, "auto_offset_reset": "earliest", "enable_auto_commit": False,
                                       "fetch_wait_max_ms": 100} | more))

    def transactor(self, **more):
        """A producer with the group's name for its transactional id."""
        producer = Producer(self.config(transactional_id=self.group, **more))
        producer.init_transactions(20)
        return producer

    def produce(self, producer, prefix, n):
        """Produces n records, PREFIX0 to PREFIXn, and raises the first error."""
        errors = []
        for i in range(n):
            producer.produce(self.topic, partition=0, value=f"{prefix}{i}",
                             on_delivery=lambda err, _: errors.append(err) if err else None)
        producer.flush(20)
        if errors:
            raise KafkaException(errors[0])

    def read(self, n, start=OFFSET_BEGINNING):
        consumer = self.consumer()
        consumer.assign([TopicPartition(self.topic, 0, start)])
        try:
            return poll(consumer, n)
        finally:
            consumer.close()


def poll(consumer, n):
    got, end = [], time.monotonic() + 30
    while len(got) < n:
        if time.monotonic() > end:
            raise AssertionError(f"read {len(got)} records of {n}")
        message = consumer.poll(0.2)
        if message is None:
            continue
        if message.error():
            raise KafkaException(message.error())
        got.append(message)
    return got


def numbered(n, text=""):
    return [(None, f"{text}{i}", None, 0) for i in range(n)]


def code(future):
    """The number of the error that a call ends with, 0 for none."""
    try:
        future.result(30)
        return 0
    except KafkaException as e:
        return e.args[0].code()


def only(futures):
    """The one future of a call about one thing."""
    return next(iter(futures.values()))


def want(what, got, wanted):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r}, want {wanted!r}")


def eventually(what, get, wanted):
    end = time.monotonic() + 10
    while (got := get()) != wanted and time.monotonic() < end:
        time.sleep(0.02)
    want(what, got, wanted)


def cluster(s):
    d = s.admin.describe_cluster(include_authorized_operations=True).result(20)
    s.observe("brokers", len(d.nodes))
    s.observe("controller", d.controller.id)
    s.observe("authorized operations", sorted(str(o) for o in d.authorized_operations or []))


def topics(s):
    def make(name, partitions, copies):
        return code(s.admin.create_topics([NewTopic(name, partitions, copies, config={"retention.ms": "60000"})])[name])

    want("create", make(s.topic, 3, s.copies), 0)
    s.observe("again", make(s.topic, 3, s.copies))
    s.observe("three copies", make(s.topic + ".x", 1, 3))
    s.observe("bad name", make("not a name!", 1, 1))

    def count():
        f = s.admin.describe_topics(TopicCollection([s.topic]))[s.topic]
        return -code(f) or len(f.result().partitions)

    eventually("partitions", count, 3)
    grow = lambda n: code(s.admin.create_partitions([NewPartitions(s.topic, n)])[s.topic])
    want("add partitions", grow(5), 0)
    s.observe("fewer partitions", grow(2))
    eventually("partitions", count, 5)
    drop = lambda: code(s.admin.delete_topics([s.topic])[s.topic])
    want("delete", drop(), 0)
    s.observe("delete again", drop())
    eventually("describe after", count, -KafkaError.UNKNOWN_TOPIC_OR_PART)


def configs(s):
    s.create(1, cleanup_policy="delete")
    describe = lambda key: only(s.admin.describe_configs([ConfigResource(ResourceType.TOPIC, s.topic)])).result(20)[key]
    text = lambda key: f"{describe(key).value} {describe(key).source}"

    def alter(op, key, value):
        resource = ConfigResource(ResourceType.TOPIC, s.topic, incremental_configs=[ConfigEntry(key, value, incremental_operation=op)])
        return code(only(s.admin.incremental_alter_configs([resource])))

    s.observe("default", text("retention.ms"))
    want("set", alter(AlterConfigOpType.SET, "retention.ms", "123456"), 0)
    eventually("after set", lambda: text("retention.ms"), "123456 1")
    s.observe("wrong value", alter(AlterConfigOpType.SET, "retention.ms", "soon"))
    s.observe("unknown key", alter(AlterConfigOpType.SET, "no.such.key", "1"))
    want("append", alter(AlterConfigOpType.APPEND, "cleanup.policy", "compact"), 0)
    eventually("after append", lambda: text("cleanup.policy"), "delete,compact 1")
    want("delete", alter(AlterConfigOpType.DELETE, "retention.ms", None), 0)
    eventually("after delete", lambda: text("retention.ms"), "604800000 5")


def acks(s):
    s.create(1)
    for a in ("0", "1", "all"):
        s.send(numbered(30), acks=a)
        s.read(30)  # what acks 0 sent may still be on its way
    for i, m in enumerate(s.read(90)):
        want("record", (m.offset(), m.value()), (i, str(i % 30).encode()))


def codecs(s):
    s.create(1)
    text, names = "the spool of thread " * 20, ["none", "gzip", "snappy", "lz4", "zstd"]
    for name in names:
        s.send(numbered(50, text), compression_type=name)
    for i, m in enumerate(s.read(250)):
        want("value", m.value().decode(), f"{text}{i % 50}")
    s.observe("read back", names)


def headers(s):
    s.create(1)
    sent = [("a", b"1"), ("a", b"2"), ("empty", b""), ("null", None), ("é", b"\x00\xff")]
    s.send([(None, "v", sent, 0)])
    got = s.read(1)[0].headers()
    want("headers", got, sent)
    s.observe("headers", repr(got))


def nulls(s):
    s.create(1)
    pairs = [(None, None), (b"k", None), (None, b"v"), (b"", b""), (b"k", b"v")]
    s.send([(k, v, None, 0) for k, v in pairs])
    got = [(m.key(), m.value()) for m in s.read(len(pairs))]
    want("records", got, pairs)
    s.observe("records", repr(got))


def big(s):
    s.create(1)
    text = bytes(i * 7 % 256 for i in range(1_000_000))
    s.send([(None, text, None, 0)], message_max_bytes=8_000_000)
    try:
        s.send([(None, bytes(2 << 20), None, 0)], message_max_bytes=8_000_000)
        raise AssertionError("2 MiB were taken")
    except KafkaException as e:
        want("code of 2 MiB", e.args[0].code(), KafkaError.MSG_SIZE_TOO_LARGE)
    want("same bytes", s.read(1)[0].value() == text, True)


def idempotent(s):
    s.create(1)
    s.send(numbered(1000), bootstrap_servers=s.flaky, enable_idempotence=True, batch_num_messages=20,
           retry_backoff_ms=20, reconnect_backoff_ms=10, reconnect_backoff_max_ms=50)
    for i, m in enumerate(s.read(1000)):
        want("record", (m.offset(), m.value()), (i, str(i).encode()))


def positions(s):
    s.create(1, retention_ms="-1")
    s.send([(None, str(i), None, EPOCH + i * 1000) for i in range(100)], batch_num_messages=10)
    want("from start", s.read(1)[0].offset(), 0)
    want("from offset", s.read(1, 40)[0].offset(), 40)
    consumer = s.consumer()
    at = lambda ms: consumer.offsets_for_times([TopicPartition(s.topic, 0, ms)], timeout=10)[0].offset
    want("from timestamp", s.read(1, at(EPOCH + 60_500))[0].offset(), 61)
    s.observe("after the last", at(EPOCH + 1_000_000))
    s.observe("watermarks", consumer.get_watermark_offsets(TopicPartition(s.topic, 0), timeout=10))
    listed = only(s.admin.list_offsets({TopicPartition(s.topic, 0): OffsetSpec.max_timestamp()})).result(20)
    s.observe("of max timestamp", [listed.offset, listed.timestamp])
    consumer.assign([TopicPartition(s.topic, 0, OFFSET_END)])
    message, end = None, time.monotonic() + 20
    while message is None and time.monotonic() < end:
        s.send(numbered(1))
        message = consumer.poll(0.5)
    want("from end, at least 100", message is not None and message.offset() >= 100, True)
    consumer.close()


class Member(threading.Thread):
    """A consumer of the scenario's group that polls until it leaves."""

    def __init__(self, s, **more):
        super().__init__(daemon=True)
        self.consumer = s.consumer(**({"heartbeat_interval_ms": 200, "session_timeout_ms": 6000, "partition_assignment_strategy": "range"} | more))
        self.consumer.subscribe([s.topic])
        self.stopping = threading.Event()
        self.start()

    def run(self):
        while not self.stopping.is_set():
            self.consumer.poll(0.1)
        self.consumer.close()

    def leave(self):
        self.stopping.set()
        self.join()


def await_group(s, counts):
    end, last = time.monotonic() + 30, None
    while time.monotonic() < end:
        try:
            last = s.admin.describe_consumer_groups([s.group])[s.group].result(10)
            have = sorted(len(m.assignment.topic_partitions) for m in last.members)
            if last.state == ConsumerGroupState.STABLE and have == counts:
                return last
        except KafkaException as e:
            last = e
        time.sleep(0.05)
    raise AssertionError(f"want members with {counts}, have {last}")


def group(s):
    s.create(4)
    one, two = Member(s), Member(s)
    s.observe("assignor", await_group(s, [2, 2]).partition_assignor)
    two.leave()
    await_group(s, [4])
    two = Member(s)
    await_group(s, [2, 2])
    one.leave()
    two.leave()
    s.observe("state at the end", str(s.admin.describe_consumer_groups([s.group])[s.group].result(10).state))


def static(s):
    s.create(4)
    one, two = Member(s, group_instance_id="one"), Member(s, group_instance_id="two")
    find = lambda g: next((m.member_id, sorted(p.partition for p in m.assignment.topic_partitions)) for m in g.members if m.group_instance_id == "two")
    before = find(await_group(s, [2, 2]))
    two.leave()  # a static member does not tell the group
    await_group(s, [2, 2])
    two = Member(s, group_instance_id="two")
    after, end = before, time.monotonic() + 20
    while after[0] == before[0] and time.monotonic() < end:
        after = find(await_group(s, [2, 2]))
    want("the member id is new", after[0] != before[0], True)
    want("same partitions", after[1], before[1])
    one.leave()
    two.leave()


def commit(s):
    s.create(1)
    s.send(numbered(50))
    consumer = s.consumer()
    consumer.subscribe([s.topic])
    want("first", poll(consumer, 10)[0].offset(), 0)
    consumer.commit(offsets=[TopicPartition(s.topic, 0, 10, "a note")], asynchronous=False)
    consumer.close()
    consumer = s.consumer()
    consumer.subscribe([s.topic])
    want("after commit", poll(consumer, 1)[0].offset(), 10)
    consumer.seek(TopicPartition(s.topic, 0, 5))
    want("after seek", poll(consumer, 1)[0].offset(), 5)
    kept = consumer.committed([TopicPartition(s.topic, 0)], timeout=10)[0]
    s.observe("committed", [kept.offset, kept.metadata])
    consumer.close()
    ask = [ConsumerGroupTopicPartitions(s.topic, [TopicPartition(s.topic, 0, 3)])]
    want("alter offsets", code(s.admin.alter_consumer_group_offsets(ask)[s.topic]), 0)
    want("delete", code(s.admin.delete_consumer_groups([s.topic])[s.topic]), 0)
    s.observe("delete again", code(s.admin.delete_consumer_groups([s.topic])[s.topic]))


def trim(s):
    s.create(1)
    s.send(numbered(100))
    cut = lambda before: only(s.admin.delete_records([TopicPartition(s.topic, 0, before)]))
    want("low watermark", cut(30).result(20).low_watermark, 30)
    want("first record", s.read(1)[0].offset(), 30)
    s.observe("beyond the end", code(cut(1000)))
    want("all", cut(-1).result(20).low_watermark, 100)


def compact(s):
    s.create(1, cleanup_policy="compact", segment_ms="100", min_cleanable_dirty_ratio="0.01", delete_retention_ms="100")
    s.send([(f"k{i % 4}", str(i), None, 0) for i in range(40)] + [("k3", None, None, 0)])
    end = 41
    while True:
        time.sleep(0.3)  # the next record rolls the segment: by then its time has passed
        s.send([("tick", "x", None, 0)])
        kept, n, following = {}, 0, 0
        consumer = s.consumer()
        consumer.assign([TopicPartition(s.topic, 0, OFFSET_BEGINNING)])
        while following <= end:
            m = poll(consumer, 1)[0]
            want("offsets grow", m.offset() >= following, True)
            kept[m.key()], following, n = m.value(), m.offset() + 1, n + 1
        consumer.close()
        end += 1
        want("kept", [kept.get(k) for k in (b"k0", b"k1", b"k2")], [b"36", b"37", b"38"])
        if n < 10 and b"k3" not in kept:
            s.observe("the tombstone went", True)
            return


def within(s, producer, prefix, n, commit=True):
    """Does a transaction of n records, PREFIX0 to PREFIXn, and ends it."""
    producer.begin_transaction()
    s.produce(producer, prefix, n)
    producer.commit_transaction(20) if commit else producer.abort_transaction(20)


def seen(s, n, level):
    """Reads n records as the isolation level shows them: their offsets and values."""
    consumer = s.consumer(isolation_level=level)
    consumer.assign([TopicPartition(s.topic, 0, OFFSET_BEGINNING)])
    try:
        return " ".join(f"{m.offset()}:{m.value().decode()}" for m in poll(consumer, n))
    finally:
        consumer.close()


def ends(s):
    """The last stable offset and the high watermark."""
    ask = {TopicPartition(s.topic, 0): OffsetSpec.latest()}
    levels = IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED
    return [only(s.admin.list_offsets(ask, isolation_level=level)).result(20).offset for level in levels]


COMMITTED, UNCOMMITTED = "read_committed", "read_uncommitted"


def transactions(s):
    s.create(1)
    p = s.transactor()
    within(s, p, "a", 3)
    within(s, p, "b", 3, commit=False)
    within(s, p, "c", 2)
    within(s, p, "", 0)
    want("committed", seen(s, 5, COMMITTED), "0:a0 1:a1 2:a2 8:c0 9:c1")
    want("uncommitted", seen(s, 8, UNCOMMITTED), "0:a0 1:a1 2:a2 4:b0 5:b1 6:b2 8:c0 9:c1")
    want("ends", ends(s), [11, 11])


def isolation(s):
    s.create(1)
    p, plain = s.transactor(), Producer(s.config())
    s.produce(plain, "x", 2)
    p.begin_transaction()
    s.produce(p, "a", 2)
    s.produce(plain, "y", 2)
    want("open", ends(s), [2, 6])
    want("committed while it is open", seen(s, 2, COMMITTED), "0:x0 1:x1")
    want("uncommitted while it is open", seen(s, 6, UNCOMMITTED), "0:x0 1:x1 2:a0 3:a1 4:y0 5:y1")
    p.abort_transaction(20)
    want("committed after the abort", seen(s, 4, COMMITTED), "0:x0 1:x1 4:y0 5:y1")
    want("closed", ends(s), [7, 7])


def refusal(call):
    """The error that a call ends with, or None."""
    try:
        call()
        return None
    except KafkaException as e:
        return e.args[0]


def fencing(s):
    s.create(1)
    zombie = s.transactor()
    within(s, zombie, "a", 1)
    zombie.begin_transaction()
    s.produce(zombie, "z", 2)
    p = s.transactor()  # aborts what the other one left
    within(s, p, "b", 2)
    s.observe("a zombie's late write", refusal(lambda: s.produce(zombie, "late", 1)).code())
    want("its end is refused for good", refusal(lambda: zombie.commit_transaction(20)).fatal(), True)
    want("committed", seen(s, 3, COMMITTED), "0:a0 5:b0 6:b1")
    want("uncommitted", seen(s, 5, UNCOMMITTED), "0:a0 2:z0 3:z1 5:b0 6:b1")
    want("ends", ends(s), [8, 8])


def expiry(s):
    s.create(1)
    p = s.transactor(transaction_timeout_ms=3000)
    p.begin_transaction()
    s.produce(p, "a", 1)
    want("open", ends(s), [0, 1])
    eventually("closed by time", lambda: ends(s), [2, 2])
    s.observe("a late write", refusal(lambda: s.produce(p, "late", 1)).code())
    want("a late commit is refused", refusal(lambda: p.commit_transaction(20)) is not None, True)
    within(s, s.transactor(), "b", 1)
    want("committed", seen(s, 1, COMMITTED), "2:b0")


def pipeline(s):
    s.create(1)
    s.send(numbered(20))
    source, consumer = s.topic, s.consumer(isolation_level=COMMITTED)
    consumer.subscribe([source])
    s.topic += ".out"
    s.create(1)
    p, done, tries = s.transactor(), 0, 0
    while done < 20:
        messages = poll(consumer, 5)
        p.begin_transaction()
        for m in messages:
            p.produce(s.topic, partition=0, value=b"<" + m.value() + b">")
        p.send_offsets_to_transaction([TopicPartition(source, 0, done + 5)], consumer.consumer_group_metadata(), 20)
        tries += 1
        if tries == 2:  # given up, and done again
            p.abort_transaction(20)
            consumer.seek(TopicPartition(source, 0, done))
            continue
        p.commit_transaction(20)
        done += 5
    values = [v.split(":")[1] for v in seen(s, 20, COMMITTED).split()]
    want("values", values, [f"<{i}>" for i in range(20)])
    want("committed offset", consumer.committed([TopicPartition(source, 0)], timeout=10)[0].offset, 20)
    consumer.close()


def served(s, **more):
    """A member whose partitions the server assigns (KIP-848)."""
    own = {"heartbeat_interval_ms": None, "session_timeout_ms": None, "partition_assignment_strategy": None}
    return Member(s, **own | {"group_protocol": "consumer", "topic_metadata_refresh_interval_ms": 500} | more)


def kind(s):
    """The group's type and state."""
    for g in s.admin.list_consumer_groups().result(10).valid:
        if g.group_id == s.group:
            return f"{g.type.name} {g.state.name}".lower()
    return "none"


def consumer(s):
    s.create(4)
    one, two = served(s), served(s)
    s.observe("assignor", await_group(s, [2, 2]).partition_assignor)
    s.observe("kind", kind(s))
    two.leave()
    await_group(s, [4])
    two = served(s, group_remote_assignor="range")
    s.observe("assignor of a vote", await_group(s, [2, 2]).partition_assignor)
    want("add partitions", code(s.admin.create_partitions([NewPartitions(s.topic, 6)])[s.topic]), 0)
    await_group(s, [3, 3])
    one.leave()
    two.leave()
    eventually("at the end", lambda: kind(s), "consumer empty")


def instance(s):
    s.create(4)
    one, two = served(s, group_instance_id="one"), served(s, group_instance_id="two")
    find = lambda g: next((m.member_id, sorted(p.partition for p in m.assignment.topic_partitions)) for m in g.members if m.group_instance_id == "two")
    before = find(await_group(s, [2, 2]))
    two.leave()  # a static member goes for a while only
    two = served(s, group_instance_id="two")
    after, end = before, time.monotonic() + 20
    while after[0] == before[0] and time.monotonic() < end:
        after = find(await_group(s, [2, 2]))
    want("the member id is new", after[0] != before[0], True)
    want("same partitions", after[1], before[1])
    one.leave()
    two.leave()


def pattern(s):
    name = s.topic
    for more, partitions in ("", 2), (".more", 3), (".99", 3):
        s.topic = name + more
        s.create(partitions)
    s.topic = f"^{name}(\\.[a-z]+)?$"
    m = served(s)
    await_group(s, [5])
    m.leave()


def migration(s):
    """Takes a group that runs from the classic protocol to the new one and back."""
    s.create(4)
    one, two = Member(s), Member(s)
    await_group(s, [2, 2])
    want("at first", kind(s), "classic stable")
    three = served(s)
    await_group(s, [1, 1, 2])
    want("mixed", kind(s), "consumer stable")
    one.leave()
    await_group(s, [2, 2])
    two.leave()
    await_group(s, [4])
    one = Member(s)
    await_group(s, [2, 2])
    want("with an old one again", kind(s), "consumer stable")
    three.leave()
    await_group(s, [4])
    eventually("in the end", lambda: kind(s), "classic stable")
    one.leave()


SCENARIOS = {f.__name__: f for f in (cluster, topics, configs, acks, codecs, headers, nulls, big, idempotent,
                                     positions, group, static, commit, trim, compact,
                                     transactions, isolation, fencing, expiry, pipeline,
                                     consumer, instance, pattern, migration)}


def run(args, name):
    line, began = {"client": CLIENT, "scenario": name, "status": "ok"}, time.monotonic()
    try:
        s = Scenario(args, name)
        line["observed"] = s.observed
        if name not in SCENARIOS:
            raise Skip("the client has no call for it")
        SCENARIOS[name](s)
    except Skip as e:
        line |= {"status": "skip", "reason": str(e)}
    except Exception as e:  # whatever it is, it is the scenario's result
        line |= {"status": "fail", "reason": f"{type(e).__name__}: {e}"}
    line["millis"] = int((time.monotonic() - began) * 1000)
    print(json.dumps(line), flush=True)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--bootstrap", required=True)
    p.add_argument("--flaky", required=True)
    p.add_argument("--copies", type=int, default=1)
    p.add_argument("--suffix", default="")
    p.add_argument("scenarios", nargs="*")
    a = p.parse_args()
    for name in a.scenarios or SCENARIOS:
        run(a, name)
    sys.stdout.flush()


main()

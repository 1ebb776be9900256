# One load by librdkafka. Its argument is JSON: spec (a load.Spec), topic, records,
# seconds, wait. It prints one line of JSON.
import json
import sys
import time

import confluent_kafka as ck

words = json.loads(sys.argv[1])
spec, topic = words["spec"], words["topic"]
errors = []


def problem(e):
    # A broker that cannot be reached is tried again; what is fatal stays.
    if e.fatal():
        errors.append(str(e))


def produce():
    """Produces up to records or seconds; every sixteenth is timed."""
    producer = ck.Producer({
        "bootstrap.servers": spec["bootstrap"], "acks": spec["acks"], "linger.ms": spec.get("linger_ms", 0),
        "batch.size": spec["batch"], "message.max.bytes": max(1000000, spec["batch"]),
        "compression.type": spec["compression"], "enable.idempotence": spec.get("idempotent", False),
        "queue.buffering.max.messages": 500000, "queue.buffering.max.kbytes": 131072, "error_cb": problem,
    })
    value = ("etaoin shrdlu{}," * (spec["size"] // 16 + 1))[:spec["size"]].encode()
    acked, times = [0], []

    def delivered(err, msg):
        if err is None:
            acked[0] += 1
        elif len(errors) < 5:
            errors.append(str(err))

    def timed(began):
        def at(err, msg):
            times.append(time.monotonic() - began)
            delivered(err, msg)
        return at

    most, length = words["records"] or float("inf"), words["seconds"] or float("inf")
    began, sent = time.monotonic(), 0
    while sent < most and not errors:
        call = delivered
        if sent % 16 == 0:
            now = time.monotonic()
            if now - began >= length:
                break
            call = timed(now)
            producer.poll(0)
        while True:
            try:
                producer.produce(topic, value, on_delivery=call)
                break
            except BufferError:
                producer.poll(0.01)
        sent += 1
    left = producer.flush(120)
    took = time.monotonic() - began
    if left or acked[0] != sent:
        errors.append("%d records were sent, %d acknowledged, %d left" % (sent, acked[0], left))
    return acked[0], acked[0] * len(value), took, times


def consume():
    """Reads records from the start of all partitions."""
    consumer = ck.Consumer({"bootstrap.servers": spec["bootstrap"], "group.id": topic, "enable.auto.commit": False,
                            "auto.offset.reset": "earliest", "queued.max.messages.kbytes": 131072, "error_cb": problem})
    consumer.assign([ck.TopicPartition(topic, p, ck.OFFSET_BEGINNING) for p in range(spec["partitions"])])
    began = last = time.monotonic()
    read = size = 0
    while read < words["records"] and not errors:
        batch = consumer.consume(10000, 0.1)
        now = time.monotonic()
        for m in batch:
            if m.error():
                errors.append(str(m.error()))
                continue
            read += 1
            size += len(m.value())
        if batch:
            last = now
        elif now - last > words["wait"]:
            errors.append("nothing came for %s s, after %d records" % (words["wait"], read))
    took = time.monotonic() - began
    consumer.close()
    return read, size, took, []


def latency(times):
    if not times:
        return {}
    times.sort()
    us = lambda q: int(1e6 * times[min(len(times) - 1, int(q * len(times)))])
    return {"count": len(times), "mean": int(1e6 * sum(times) / len(times)), "p50": us(0.5), "p95": us(0.95),
            "p99": us(0.99), "p999": us(0.999), "max": us(1)}


records, size, took, times = produce() if spec["kind"] == "rdkafka-produce" else consume()
print(json.dumps({"records": records, "bytes": size, "seconds": took, "latency": latency(times),
                  "errors": errors[:5]}))

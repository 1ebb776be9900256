"""A worker of conformance/chaos with confluent-kafka for Python, which is librdkafka.

It does one job until SIGTERM, and tells in lines of docs/formats/history.md what it tried
and what came of it.
"""

import argparse
import json
import random
import signal
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition

stopping = False


class Job:
    def __init__(self, args):
        self.args, self.process = args, args.process - 1
        self.random = random.Random(args.seed)
        self.partitions = [(name, p) for name, _, n in (t.partition(":") for t in args.topics.split(",")) for p in range(int(n))]
        self.out = open(args.out, "a", buffering=1 << 18)

    def next(self):
        """The process of a client that starts: it has that number alone."""
        self.process += 1
        return self.process

    def config(self, **more):
        base = {"bootstrap.servers": self.args.bootstrap, "client.id": f"chaos-{self.args.process}", "log_level": 0,
                "topic.metadata.refresh.interval.ms": 5000, "reconnect.backoff.max.ms": 1000}
        return base | {k.replace("_", "."): v for k, v in more.items()}

    def tell(self, kind, process, **fields):
        fields = {k.rstrip("_"): v for k, v in fields.items()}  # return is a word of Python's
        self.out.write(json.dumps({"kind": kind, "process": process} | fields, separators=(",", ":")) + "\n")

    def pause(self):
        return self.args.pace / 1000 * (0.5 + self.random.random())

    def size(self):
        return self.random.randrange(1000, 4000) if self.random.randrange(50) == 0 else self.random.randrange(100)


def now():
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)


def complain(what):
    print(what, file=sys.stderr, flush=True)


def value(name, size):
    text = name + ";"
    return (text * (size // len(text) + 1))[:max(size, len(text))]


def name(value):
    """The name that a value repeats, or None if it is none of ours."""
    text = (value or b"").decode(errors="replace")
    n = text.find(";") + 1
    if n == 0 or text[n:] != text[:len(text) - n]:
        return None
    producer, _, seq = text[:n - 1].partition("#")
    return text[:n - 1] if producer.isdecimal() and seq.isdecimal() else None


def send(job):
    """Sends bursts of records to each partition, one at a time, with an idempotent producer."""
    process, seq = job.next(), 0
    producer = Producer(job.config(enable_idempotence=True, acks="all", linger_ms=2, compression_type=job.args.codec, socket_timeout_ms=6000,
                                   message_timeout_ms=600_000 if job.args.patient else 10_000, request_timeout_ms=5000))
    open_, due = {}, {at: now() for at in job.partitions}

    def told(at, text, invoke):
        def report(err, message):
            fields = {"outcome": "info", "err": err.name()} if err else {"outcome": "ok", "offset": message.offset()}
            job.tell("send", process, invoke=invoke, return_=now(), topic=at[0], partition=at[1], value=text, **fields)
            open_[at] -= 1
            if open_[at] == 0:
                due[at] = now() + int(job.pause() * 1e9)
        return report

    while not stopping or any(open_.values()):
        for at in job.partitions:
            if stopping or open_.get(at) or due[at] > now():
                continue
            n = 1 + job.random.randrange(job.args.most)
            open_[at] = n
            for _ in range(n):
                text, seq = f"{process}#{seq}", seq + 1
                # The queue is never full: it holds more than all bursts together.
                producer.produce(at[0], partition=at[1], value=value(text, job.size()), on_delivery=told(at, text, now()))
        producer.poll(0.01)


class Poller:
    """Tells what was polled: one poll a partition and leader epoch."""

    def __init__(self, job, process):
        self.job, self.process, self.began, self.since = job, process, now(), {}
        self.last = {}

    def tell(self, messages):
        """What is returned now may be fetched at any time since the partition was given to the client."""
        batches, end = {}, now()
        for m in messages:
            if m.error():
                complain(m.error())
                continue
            at = (m.topic(), m.partition())
            text = name(m.value())
            record = [m.offset(), text] if text else [m.offset()]
            runs = batches.setdefault(at, [])
            if not runs or runs[-1][0] != m.leader_epoch():
                runs.append((m.leader_epoch(), []))
            runs[-1][1].append(record)
        level = "committed" if self.job.args.isolation == "read_committed" else "uncommitted"
        for at, runs in batches.items():
            for epoch, records in runs:
                group = {"group": self.job.args.group} if self.job.args.group else {}
                known = {"epoch": epoch} if epoch is not None and epoch >= 0 else {}
                self.job.tell("poll", self.process, outcome="ok", invoke=self.since.get(at, self.began), return_=end, topic=at[0], partition=at[1],
                              isolation=level, records=records, **known, **group)
            self.since[at] = end
            self.last[at] = records[-1][0] + 1
        return {at: self.last[at] for at in batches}


def consumer(job, **more):
    return Consumer(job.config(isolation_level=job.args.isolation, auto_offset_reset="earliest", enable_auto_commit=False, fetch_wait_max_ms=500,
                               fetch_min_bytes=2000, queued_min_messages=1, check_crcs=True, **more))


def read(job):
    c = consumer(job, group_id=f"chaos-{job.args.process}-never-commits")
    poller = Poller(job, job.next())
    c.assign([TopicPartition(t, p, OFFSET_BEGINNING) for t, p in job.partitions])
    while not stopping:
        poller.tell(c.consume(100_000, 0.5))
    c.close()


def member(job):
    """A member that commits what it has polled, leaves after a while, and comes again."""
    while not stopping:
        process, began = job.next(), now()
        poller = Poller(job, process)
        c = consumer(job, group_id=job.args.group, session_timeout_ms=6000, heartbeat_interval_ms=500, partition_assignment_strategy="cooperative-sticky")

        def moved(kind):
            def tell(c, places):
                if places:
                    job.tell(kind, process, outcome="ok", invoke=now(), return_=now(), group=job.args.group, member=c.memberid() or "", rules="cooperative",
                             places=[{"topic": p.topic, "partition": p.partition} for p in places])
            return tell

        c.subscribe(sorted({t for t, _ in job.partitions}), on_assign=moved("assign"), on_revoke=moved("revoke"), on_lost=moved("lost"))
        while not stopping and now() - began < job.args.stay * 1_000_000:
            last = poller.tell(c.consume(100_000, 0.5))
            if last:
                commit(job, c, process, last)
            time.sleep(job.pause())
        c.close()


def commit(job, c, process, last):
    invoke, who = now(), c.memberid() or ""
    try:
        answers = c.commit(offsets=[TopicPartition(t, p, o) for (t, p), o in last.items()], asynchronous=False)
        wrong = {(a.topic, a.partition): a.error.name() if a.error else None for a in answers}
    except KafkaException as e:
        complain(e)
        wrong = {at: e.args[0].name() for at in last}
    for at, offset in last.items():
        err = wrong.get(at, KafkaError._FAIL)
        fields = {"outcome": "info", "err": str(err)} if err else {"outcome": "ok"}
        job.tell("commitOffset", process, invoke=invoke, return_=now(), group=job.args.group, topic=at[0], partition=at[1], offset=offset, member=who, **fields)


def stop(*_):
    global stopping
    stopping = True


def main():
    jobs = {"send": send, "read": read, "member": member}
    a = argparse.ArgumentParser()
    a.add_argument("--do", choices=jobs)
    for text in "bootstrap", "topics", "out", "group":
        a.add_argument("--" + text)
    for number, default in {"process": 1, "seed": 1, "most": 100, "pace": 50, "stay": 60_000}.items():
        a.add_argument("--" + number, type=int, default=default)
    a.add_argument("--isolation", default="read_committed")
    a.add_argument("--codec", default="none")
    a.add_argument("--patient", action="store_true")
    args = a.parse_args()
    signal.signal(signal.SIGTERM, stop)
    job = Job(args)
    jobs[args.do](job)
    job.out.close()


if __name__ == "__main__":
    main()

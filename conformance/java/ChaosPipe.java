import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidProducerEpochException;
import org.apache.kafka.common.errors.ProducerFencedException;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Takes records from a topic and writes one for each to the same partition of another, in
 * transactions that also commit what was taken. It may be killed at any moment: each of its
 * lines is written before what it tells of can have an effect, and again after.
 */
final class ChaosPipe {
    private final Chaos job;
    private final String in;
    private final String out;
    private final String id;
    private int process;
    private long seq;
    private long txns;
    private long lines;

    ChaosPipe(Chaos job) {
        this.job = job;
        in = job.job.get("in");
        out = job.partitions.get(0).topic();
        id = job.job.get("id");
    }

    void run() throws InterruptedException {
        while (!job.stopping.get()) {
            try {
                session();
            } catch (ProducerFencedException | InvalidProducerEpochException e) {
                Chaos.complain(e);
                job.exit(3);
            } catch (KafkaException e) {
                Chaos.complain(e);
                Thread.sleep(200);
            }
        }
    }

    /** An operation that is written twice: now, and when it ended. */
    private final class Open {
        private final String kind;
        private final long invoke;
        private final long number = ++lines;
        private Chaos.Line last;
        private boolean ended;

        Open(String kind, java.util.function.UnaryOperator<Chaos.Line> fields) {
            this.kind = kind;
            invoke = System.nanoTime();
            last = line(fields);
            job.tell(line(fields));
        }

        private Chaos.Line line(java.util.function.UnaryOperator<Chaos.Line> fields) {
            return fields.apply(new Chaos.Line(kind, process, invoke).put("id", number));
        }

        Chaos.Line answer() {
            return last;
        }

        /** The client may say that something failed and throw it, too: the first word counts. */
        synchronized void end(Throwable wrong) {
            if (!ended) {
                ended = true;
                job.tell(last.end(wrong));
            }
        }
    }

    private void session() throws InterruptedException {
        Properties c = job.properties("group.id", job.job.get("group"), "isolation.level", "read_committed", "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "max.poll.records", "" + job.number("most", 40), "group.protocol", job.job.getOrDefault("protocol", "consumer"), "fetch.max.wait.ms", "200");
        if (c.get("group.protocol").equals("classic")) {
            c.put("session.timeout.ms", "6000");
            c.put("heartbeat.interval.ms", "500");
        }
        process = job.next();
        seq = 0;
        txns = 0;
        Properties p = job.properties("transactional.id", id, "transaction.timeout.ms", "10000", "linger.ms", "2");
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
             KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(c, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            producer.initTransactions(); // it tells neither id nor epoch, so there is nothing to say of it
            consumer.subscribe(List.of(in));
            while (!job.stopping.get()) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
                if (!records.isEmpty()) {
                    transaction(producer, consumer, records);
                }
            }
        }
    }

    private void transaction(KafkaProducer<byte[], byte[]> producer, KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) throws InterruptedException {
        ConsumerGroupMetadata member = consumer.groupMetadata(); // as it was when the records came: the server refuses it if the group has moved on
        long txn = (long) process << 24 | ++txns;
        producer.beginTransaction();
        job.tell(new Chaos.Line("beginTxn", process, System.nanoTime()).put("txn", txn).put("transactionalId", id).end(null));
        List<Open> commits = new ArrayList<>();
        Open end = null;
        try {
            Map<TopicPartition, OffsetAndMetadata> next = write(producer, records, txn);
            if (job.random.nextInt(4) == 0) {
                Thread.sleep(job.random.nextInt(300)); // so that some are killed in it
            }
            if (job.random.nextInt(8) == 0) {
                throw new KafkaException("given up");
            }
            next.forEach((tp, at) -> commits.add(new Open("commitOffset", l -> l.put("group", job.job.get("group")).at(tp).put("offset", at.offset())
                .put("txn", txn).put("member", member.memberId()).put("generation", member.generationId()))));
            producer.sendOffsetsToTransaction(next, member);
            end = end(txn, true);
            producer.commitTransaction();
            end.end(null);
            commits.forEach(o -> o.end(null));
        } catch (KafkaException e) {
            commits.forEach(o -> o.end(e));
            if (end != null) {
                end.end(e); // it may be committed, or not; the next session's ends it
            }
            if (end != null || e instanceof ProducerFencedException || e instanceof InvalidProducerEpochException) {
                throw e;
            }
            abort(producer, txn);
            rewind(consumer);
        }
    }

    private Open end(long txn, boolean commit) {
        return new Open("endTxn", l -> l.put("txn", txn).put("transactionalId", id).flag("commit", commit));
    }

    private void abort(KafkaProducer<byte[], byte[]> producer, long txn) {
        Open end = end(txn, false);
        try {
            producer.abortTransaction();
            end.end(null);
        } catch (KafkaException e) {
            end.end(e);
            throw e;
        }
    }

    /** Sends a record for each that was taken. Its key says which. */
    private Map<TopicPartition, OffsetAndMetadata> write(KafkaProducer<byte[], byte[]> producer, ConsumerRecords<byte[], byte[]> records, long txn) {
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        AtomicReference<Exception> failed = new AtomicReference<>();
        for (ConsumerRecord<byte[], byte[]> r : records) {
            String name = process + "#" + seq++;
            TopicPartition to = new TopicPartition(out, r.partition());
            Open send = new Open("send", l -> l.at(to).put("value", name).put("txn", txn));
            byte[] key = (r.partition() + ":" + r.offset()).getBytes(java.nio.charset.StandardCharsets.UTF_8);
            try {
                producer.send(new ProducerRecord<>(out, r.partition(), key, Chaos.value(name, 0)), (at, wrong) -> {
                    if (wrong == null) {
                        send.answer().put("offset", at.offset());
                    } else {
                        failed.compareAndSet(null, wrong);
                    }
                    send.end(wrong);
                });
            } catch (KafkaException e) {
                send.end(e);
                throw e;
            }
            next.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
        }
        producer.flush();
        if (failed.get() != null) {
            throw new KafkaException(failed.get());
        }
        return next;
    }

    /** Goes back to what is committed in all partitions that it has. */
    private static void rewind(KafkaConsumer<byte[], byte[]> consumer) {
        consumer.committed(consumer.assignment()).forEach((tp, at) -> {
            try {
                if (at == null) {
                    consumer.seekToBeginning(List.of(tp));
                } else {
                    consumer.seek(tp, at);
                }
            } catch (IllegalStateException e) {
                // the partition has gone meanwhile
            }
        });
    }
}

import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListOffsetsOptions;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.IsolationLevel;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.protocol.Errors;
import org.apache.kafka.common.TopicPartition;

/** The scenarios of transactions. */
final class Transactions {
    private static final String COMMITTED = "read_committed";
    private static final String UNCOMMITTED = "read_uncommitted";

    private Transactions() {}

    static void into(Map<String, Scenarios.Body> bodies) {
        bodies.put("transactions", Transactions::transactions);
        bodies.put("isolation", Transactions::isolation);
        bodies.put("fencing", Transactions::fencing);
        bodies.put("expiry", Transactions::expiry);
        bodies.put("pipeline", Transactions::pipeline);
    }

    private static KafkaProducer<byte[], byte[]> transactor(Scenarios s, String id, String... more) {
        List<String> all = new ArrayList<>(List.of("transactional.id", id));
        all.addAll(List.of(more));
        KafkaProducer<byte[], byte[]> p = Clients.producer(s.bootstrap, all.toArray(String[]::new));
        p.initTransactions();
        return p;
    }

    /** Produces n records, PREFIX0 to PREFIXn. */
    private static void send(KafkaProducer<byte[], byte[]> p, String topic, String prefix, int n) throws Exception {
        List<Future<RecordMetadata>> all = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            all.add(p.send(new ProducerRecord<>(topic, (prefix + i).getBytes(UTF_8))));
        }
        p.flush();
        for (Future<RecordMetadata> f : all) {
            f.get();
        }
    }

    private static void within(KafkaProducer<byte[], byte[]> p, Scenarios s, String prefix, int n, boolean commit) throws Exception {
        p.beginTransaction();
        send(p, s.topic, prefix, n);
        if (commit) {
            p.commitTransaction();
        } else {
            p.abortTransaction();
        }
    }

    /** Reads n records as the isolation level shows them: their offsets and values. */
    private static String seen(Scenarios s, String topic, int n, String level) {
        TopicPartition tp = new TopicPartition(topic, 0);
        try (KafkaConsumer<byte[], byte[]> c = Clients.consumer(s, "isolation.level", level)) {
            c.assign(List.of(tp));
            c.seek(tp, 0);
            List<String> all = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> r : Clients.poll(c, n)) {
                all.add(r.offset() + ":" + new String(r.value(), UTF_8));
            }
            return String.join(" ", all);
        }
    }

    /** The last stable offset and the high watermark. */
    private static String ends(Scenarios s) throws Exception {
        TopicPartition tp = Clients.partition(s);
        List<String> both = new ArrayList<>();
        try (Admin a = Clients.admin(s)) {
            for (IsolationLevel level : List.of(IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)) {
                both.add("" + a.listOffsets(Map.of(tp, OffsetSpec.latest()), new ListOffsetsOptions(level)).partitionResult(tp).get().offset());
            }
        }
        return String.join(" ", both);
    }

    /** The name of the error that a call ends with. */
    private static String refusal(Scenarios.Call call) throws Exception {
        try {
            call.run();
            return "none";
        } catch (ExecutionException e) {
            return name(e.getCause());
        } catch (KafkaException e) {
            return name(e);
        }
    }

    private static String name(Throwable t) {
        while (!(t instanceof ApiException) && t.getCause() != null) {
            t = t.getCause();
        }
        return Errors.forException(t).name();
    }

    private static void transactions(Scenarios s) throws Exception {
        Clients.create(s, 1);
        try (KafkaProducer<byte[], byte[]> p = transactor(s, s.topic); Admin a = Clients.admin(s)) {
            within(p, s, "a", 3, true);
            within(p, s, "b", 3, false);
            within(p, s, "c", 2, true);
            within(p, s, "", 0, true);
            Scenarios.want("committed", seen(s, s.topic, 5, COMMITTED), "0:a0 1:a1 2:a2 8:c0 9:c1");
            Scenarios.want("uncommitted", seen(s, s.topic, 8, UNCOMMITTED), "0:a0 1:a1 2:a2 4:b0 5:b1 6:b2 8:c0 9:c1");
            Scenarios.want("ends", ends(s), "11 11");
            var d = a.describeTransactions(List.of(s.topic)).description(s.topic).get();
            s.observe("described", d.state() + " epoch " + d.producerEpoch() + " " + d.transactionTimeoutMs() + " " + d.transactionStartTimeMs().isPresent() + " " + d.topicPartitions());
            var listed = a.listTransactions().all().get().stream().filter(t -> t.transactionalId().equals(s.topic)).map(t -> t.state().toString()).toList();
            s.observe("listed", listed);
            s.observe("producers", a.describeProducers(List.of(Clients.partition(s))).partitionResult(Clients.partition(s)).get().activeProducers().stream()
                .map(x -> "epoch " + x.producerEpoch() + " coordinator " + x.coordinatorEpoch().orElse(-1) + " open " + x.currentTransactionStartOffset()).toList());
            s.observe("describe a stranger", Scenarios.code(() -> a.describeTransactions(List.of("nobody")).description("nobody").get()));
        }
    }

    private static void isolation(Scenarios s) throws Exception {
        Clients.create(s, 1);
        try (KafkaProducer<byte[], byte[]> p = transactor(s, s.topic); KafkaProducer<byte[], byte[]> plain = Clients.producer(s.bootstrap); Admin a = Clients.admin(s)) {
            send(plain, s.topic, "x", 2);
            p.beginTransaction();
            send(p, s.topic, "a", 2);
            send(plain, s.topic, "y", 2);
            Scenarios.want("open", ends(s), "2 6");
            Scenarios.want("committed while it is open", seen(s, s.topic, 2, COMMITTED), "0:x0 1:x1");
            Scenarios.want("uncommitted while it is open", seen(s, s.topic, 6, UNCOMMITTED), "0:x0 1:x1 2:a0 3:a1 4:y0 5:y1");
            s.observe("open", a.describeProducers(List.of(Clients.partition(s))).partitionResult(Clients.partition(s)).get().activeProducers().stream()
                .map(x -> "open " + x.currentTransactionStartOffset()).sorted().toList());
            var d = a.describeTransactions(List.of(s.topic)).description(s.topic).get();
            s.observe("described", d.state() + " " + d.topicPartitions());
            p.abortTransaction();
            Scenarios.want("committed after the abort", seen(s, s.topic, 4, COMMITTED), "0:x0 1:x1 4:y0 5:y1");
            Scenarios.want("closed", ends(s), "7 7");
        }
    }

    private static void fencing(Scenarios s) throws Exception {
        Clients.create(s, 1);
        KafkaProducer<byte[], byte[]> zombie = transactor(s, s.topic);
        within(zombie, s, "a", 1, true);
        zombie.beginTransaction();
        send(zombie, s.topic, "z", 2);
        try (KafkaProducer<byte[], byte[]> p = transactor(s, s.topic); Admin a = Clients.admin(s)) { // aborts what the other one left
            within(p, s, "b", 2, true);
            s.observe("a zombie's late write", refusal(() -> send(zombie, s.topic, "late", 1)));
            s.observe("a zombie's commit", refusal(zombie::commitTransaction));
            p.beginTransaction();
            send(p, s.topic, "z", 1);
            a.fenceProducers(List.of(s.topic)).all().get();
            s.observe("a late write after fenceProducers", refusal(() -> send(p, s.topic, "late", 1)));
        }
        zombie.close(Duration.ZERO);
        try (KafkaProducer<byte[], byte[]> p = transactor(s, s.topic)) {
            within(p, s, "c", 1, true);
        }
        Scenarios.want("committed", seen(s, s.topic, 4, COMMITTED), "0:a0 5:b0 6:b1 10:c0");
        Scenarios.want("uncommitted", seen(s, s.topic, 7, UNCOMMITTED), "0:a0 2:z0 3:z1 5:b0 6:b1 8:z0 10:c0");
        Scenarios.want("ends", ends(s), "12 12");
    }

    private static void expiry(Scenarios s) throws Exception {
        Clients.create(s, 1);
        try (KafkaProducer<byte[], byte[]> p = transactor(s, s.topic, "transaction.timeout.ms", "3000")) {
            p.beginTransaction();
            send(p, s.topic, "a", 1);
            Scenarios.want("open", ends(s), "0 1");
            Scenarios.eventually("closed by time", () -> ends(s), "2 2");
            s.observe("a late write", refusal(() -> send(p, s.topic, "late", 1)));
            s.observe("a late commit", refusal(p::commitTransaction));
        }
        try (KafkaProducer<byte[], byte[]> p = transactor(s, s.topic)) {
            within(p, s, "b", 1, true);
        }
        Scenarios.want("committed", seen(s, s.topic, 1, COMMITTED), "2:b0");
        s.observe("too long a time-out", refusal(() -> transactor(s, s.topic + ".long", "transaction.timeout.ms", "2000000").close()));
    }

    private static void pipeline(Scenarios s) throws Exception {
        Clients.create(s, 1);
        Clients.numbered(s, 20);
        TopicPartition in = Clients.partition(s);
        String out = s.topic + ".out";
        try (Admin a = Clients.admin(s)) {
            a.createTopics(List.of(new org.apache.kafka.clients.admin.NewTopic(out, 1, s.copies))).all().get();
            Scenarios.eventually("listed", () -> a.listTopics().names().get().contains(out), true);
        }
        for (String protocol : List.of("classic", "consumer")) {
            int before = protocol.equals("classic") ? 0 : 20;
            String group = s.topic + "." + protocol;
            try (KafkaConsumer<byte[], byte[]> c = Clients.consumer(s, "group.id", group, "isolation.level", COMMITTED, "max.poll.records", "5", "group.protocol", protocol);
                 KafkaProducer<byte[], byte[]> p = transactor(s, group)) {
                c.subscribe(List.of(s.topic));
                for (int done = 0, round = 0; done < 20; round++) {
                    List<ConsumerRecord<byte[], byte[]>> rs = Clients.poll(c, 5);
                    p.beginTransaction();
                    for (ConsumerRecord<byte[], byte[]> r : rs) {
                        p.send(new ProducerRecord<>(out, ("<" + new String(r.value(), UTF_8) + ">").getBytes(UTF_8)));
                    }
                    p.sendOffsetsToTransaction(Map.of(in, new OffsetAndMetadata(done + 5, "a note")), c.groupMetadata());
                    if (round == 1) { // given up, and done again
                        p.abortTransaction();
                        c.seek(in, done);
                        continue;
                    }
                    p.commitTransaction();
                    done += 5;
                }
            }
            String[] values = seen(s, out, before + 20, COMMITTED).split(" ");
            for (int i = 0; i < 20; i++) {
                Scenarios.want("value", values[before + i].replaceAll(".*:", ""), "<" + i + ">");
            }
            try (Admin a = Clients.admin(s)) {
                s.observe("committed by " + protocol, String.valueOf(a.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(in)));
            }
        }
    }
}

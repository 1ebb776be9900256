import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.ListShareGroupOffsetsSpec;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** The scenario of share groups (KIP-932). */
final class Sharing {
    private Sharing() {}

    private static KafkaShareConsumer<byte[], byte[]> sharer(Scenarios s, String mode) {
        Properties p = Clients.properties(s.bootstrap, "group.id", s.topic, "share.acknowledgement.mode", mode, "fetch.max.wait.ms", "200");
        KafkaShareConsumer<byte[], byte[]> c = new KafkaShareConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
        c.subscribe(List.of(s.topic));
        return c;
    }

    private static void send(KafkaProducer<byte[], byte[]> p, Scenarios s, String prefix, int n) throws Exception {
        for (int i = 0; i < n; i++) {
            p.send(new ProducerRecord<>(s.topic, 0, null, (prefix + i).getBytes(UTF_8)));
        }
        p.flush();
    }

    private static String shown(ConsumerRecord<byte[], byte[]> r) {
        return new String(r.value(), UTF_8) + ":" + r.deliveryCount().map(String::valueOf).orElse("?");
    }

    /** The next record that comes within so long, or null. */
    private static List<ConsumerRecord<byte[], byte[]>> next(KafkaShareConsumer<byte[], byte[]> c) {
        for (long end = System.nanoTime() + 20_000_000_000L; System.nanoTime() < end;) {
            List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
            c.poll(Duration.ofMillis(300)).forEach(got::add);
            if (!got.isEmpty()) {
                return got;
            }
        }
        throw new AssertionError("nothing came");
    }

    static void share(Scenarios s) throws Exception {
        Clients.create(s, 1);
        try (Admin a = Clients.admin(s); KafkaProducer<byte[], byte[]> p = Clients.producer(s.bootstrap)) {
            ConfigResource r = new ConfigResource(ConfigResource.Type.GROUP, s.topic);
            Scenarios.want("set the group", Modern.set(a, r, "share.auto.offset.reset", "earliest"), 0);
            s.observe("too short a lock", Modern.set(a, r, "share.record.lock.duration.ms", "10"));
            s.observe("no such reset", Modern.set(a, r, "share.auto.offset.reset", "someday"));
            send(p, s, "r", 6);
            explicit(s);
            implicit(s, p);
            var start = a.listShareGroupOffsets(Map.of(s.topic, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(s.topic).get().get(Clients.partition(s));
            Scenarios.want("all of the first are done with", start.startOffset() >= 6, true);
            Scenarios.eventually("at the end", () -> Modern.kind(a, s), "share share empty");
            var g = a.describeShareGroups(List.of(s.topic)).all().get().get(s.topic);
            s.observe("described", g.groupState() + " " + g.members().size() + " " + g.authorizedOperations());
            s.observe("alter offsets", Scenarios.code(() -> a.alterShareGroupOffsets(s.topic, Map.of(Clients.partition(s), 3L)).all().get()));
            s.observe("altered", a.listShareGroupOffsets(Map.of(s.topic, new ListShareGroupOffsetsSpec())).partitionsToOffsetInfo(s.topic).get().get(Clients.partition(s)).startOffset());
            try (KafkaShareConsumer<byte[], byte[]> c = sharer(s, "implicit")) {
                Scenarios.want("from there", shown(next(c).get(0)), "r3:1");
                s.observe("alter offsets of a live group", Scenarios.code(() -> a.alterShareGroupOffsets(s.topic, Map.of(Clients.partition(s), 3L)).all().get()));
            }
            Scenarios.eventually("empty", () -> Modern.kind(a, s), "share share empty");
            s.observe("delete offsets", Scenarios.code(() -> a.deleteShareGroupOffsets(s.topic, java.util.Set.of(s.topic)).all().get()));
            s.observe("delete", Scenarios.code(() -> a.deleteShareGroups(List.of(s.topic)).all().get()));
            Scenarios.want("deleted", Modern.kind(a, s), "none");
        }
    }

    /** Accepts, gives back, rejects, renews and forgets records, one of each. */
    private static void explicit(Scenarios s) throws Exception {
        try (KafkaShareConsumer<byte[], byte[]> one = sharer(s, "explicit"); KafkaShareConsumer<byte[], byte[]> two = sharer(s, "explicit")) {
            List<ConsumerRecord<byte[], byte[]>> rs = next(one);
            Scenarios.want("delivered", rs.stream().map(Sharing::shown).toList(), "[r0:1, r1:1, r2:1, r3:1, r4:1, r5:1]");
            s.observe("lock", one.acquisitionLockTimeoutMs().map(String::valueOf).orElse("none"));
            one.acknowledge(rs.get(0), AcknowledgeType.ACCEPT);
            one.acknowledge(rs.get(1), AcknowledgeType.RELEASE);
            one.acknowledge(rs.get(2), AcknowledgeType.REJECT);
            one.acknowledge(rs.get(3), AcknowledgeType.ACCEPT);
            one.acknowledge(rs.get(4), AcknowledgeType.RENEW);
            one.acknowledge(rs.get(5), AcknowledgeType.RENEW);
            s.observe("acknowledged", one.commitSync().values().stream().map(String::valueOf).toList());
            TreeMap<String, Integer> got = new TreeMap<>();
            while (got.size() < 3) { // r1 was given back; the time of r4 and r5 runs out
                for (ConsumerRecord<byte[], byte[]> r : next(two)) {
                    got.merge(shown(r), 1, Integer::sum);
                    two.acknowledge(r, AcknowledgeType.ACCEPT);
                }
                two.commitSync();
            }
            Scenarios.want("delivered again", got, "{r1:2=1, r4:2=1, r5:2=1}");
        }
    }

    /** Two consumers take what comes: each record goes to one of them. */
    private static void implicit(Scenarios s, KafkaProducer<byte[], byte[]> p) throws Exception {
        Map<String, Integer> seen = new ConcurrentHashMap<>();
        AtomicBoolean stopping = new AtomicBoolean();
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 2; i++) {
            Thread t = new Thread(() -> {
                try (KafkaShareConsumer<byte[], byte[]> c = sharer(s, "implicit")) {
                    while (!stopping.get()) {
                        c.poll(Duration.ofMillis(100)).forEach(r -> seen.merge(shown(r), 1, Integer::sum));
                    }
                    c.commitSync();
                }
            });
            t.setDaemon(true);
            t.start();
            threads.add(t);
        }
        for (int i = 0; i < 6; i++) {
            send(p, s, "s" + i + ".", 10);
            int want = 10 * (i + 1);
            Scenarios.eventually("records", () -> seen.size() >= want, true);
        }
        stopping.set(true);
        for (Thread t : threads) {
            t.join();
        }
        Scenarios.want("each once", seen.size() + " " + Arrays.toString(seen.values().stream().distinct().toArray()), "60 [1]");
    }
}

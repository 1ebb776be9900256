import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerGroupMetadata;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** Polls: of all partitions, or as a member of a group that commits what it has polled. */
final class ChaosRead {
    private final Chaos job;
    private final boolean committed;
    private int process;
    private long began;
    private final Map<TopicPartition, Long> since = new HashMap<>();

    ChaosRead(Chaos job) {
        this.job = job;
        committed = job.job.getOrDefault("isolation", "read_committed").equals("read_committed");
    }

    private KafkaConsumer<byte[], byte[]> consumer(String... more) {
        Properties p = job.properties("isolation.level", committed ? "read_committed" : "read_uncommitted", "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "fetch.max.wait.ms", "500", "fetch.min.bytes", "2000", "max.poll.records", "1000000", "check.crcs", "true");
        for (int i = 0; i < more.length; i += 2) {
            p.put(more[i], more[i + 1]);
        }
        process = job.next();
        began = System.nanoTime();
        since.clear();
        return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    void read() throws InterruptedException {
        try (KafkaConsumer<byte[], byte[]> c = consumer()) {
            c.assign(job.partitions);
            c.seekToBeginning(job.partitions);
            while (!job.stopping.get()) {
                tell(c.poll(Duration.ofMillis(500)));
                job.breathe(job.random);
            }
        }
    }

    /**
     * Tells of a poll of each partition and leader epoch. What comes next of a partition is
     * asked for when all that came before was taken: so a poll begins where the last ended.
     */
    private void tell(ConsumerRecords<byte[], byte[]> polled) {
        long now = System.nanoTime();
        for (TopicPartition tp : polled.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> all = polled.records(tp);
            for (int i = 0, n; i < all.size(); i = n) {
                int epoch = epoch(all.get(i));
                for (n = i; n < all.size() && epoch(all.get(n)) == epoch;) {
                    n++;
                }
                Chaos.Line line = new Chaos.Line("poll", process, since.getOrDefault(tp, began)).at(tp)
                    .put("isolation", committed ? "committed" : "uncommitted").put("epoch", epoch).records(all.subList(i, n));
                if (job.job.containsKey("group")) {
                    line.put("group", job.job.get("group"));
                }
                job.tell(line.put("outcome", "ok").put("return", now));
            }
            since.put(tp, now);
        }
    }

    private static int epoch(ConsumerRecord<byte[], byte[]> r) {
        return r.leaderEpoch().orElse(-1);
    }

    void member() throws InterruptedException {
        String protocol = job.job.getOrDefault("protocol", "consumer");
        List<String> set = new ArrayList<>(List.of("group.id", job.job.get("group"), "group.protocol", protocol));
        if (protocol.equals("classic")) {
            set.addAll(List.of("session.timeout.ms", "6000", "heartbeat.interval.ms", "500",
                "partition.assignment.strategy", "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"));
        }
        long stay = job.number("stay", 60_000) * 1_000_000L;
        while (!job.stopping.get()) {
            try (KafkaConsumer<byte[], byte[]> c = consumer(set.toArray(String[]::new))) {
                c.subscribe(job.topics(), new Listener(c, protocol));
                while (!job.stopping.get() && System.nanoTime() - began < stay) {
                    ConsumerRecords<byte[], byte[]> polled = c.poll(Duration.ofMillis(500));
                    tell(polled);
                    if (!polled.isEmpty()) {
                        commit(c, polled);
                    }
                    job.breathe(job.random);
                }
            } catch (KafkaException | IllegalStateException e) {
                // The client loses a partition while it collects what it fetched of it, and says
                // IllegalStateException: No current assignment. It joins again, as another one.
                Chaos.complain(e);
                Thread.sleep(200);
            }
        }
    }

    private void commit(KafkaConsumer<byte[], byte[]> c, ConsumerRecords<byte[], byte[]> polled) {
        ConsumerGroupMetadata member = c.groupMetadata();
        long now = System.nanoTime();
        Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
        for (TopicPartition tp : polled.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> all = polled.records(tp);
            next.put(tp, new OffsetAndMetadata(all.get(all.size() - 1).offset() + 1));
        }
        KafkaException wrong = null;
        try {
            c.commitSync(next, Duration.ofSeconds(8));
        } catch (KafkaException e) {
            wrong = e;
            Chaos.complain(e);
        }
        for (Map.Entry<TopicPartition, OffsetAndMetadata> e : next.entrySet()) {
            job.tell(new Chaos.Line("commitOffset", process, now).put("group", job.job.get("group")).at(e.getKey()).put("offset", e.getValue().offset())
                .put("member", member.memberId()).put("generation", member.generationId()).end(wrong));
        }
    }

    /** Tells of partitions that come and go. */
    private final class Listener implements ConsumerRebalanceListener {
        private final KafkaConsumer<byte[], byte[]> consumer;
        private final String rules;

        Listener(KafkaConsumer<byte[], byte[]> consumer, String protocol) {
            this.consumer = consumer;
            rules = protocol.equals("classic") ? "cooperative" : "consumer";
        }

        private void moved(String kind, Collection<TopicPartition> places) {
            if (!places.isEmpty()) {
                ConsumerGroupMetadata member = consumer.groupMetadata();
                job.tell(new Chaos.Line(kind, process, System.nanoTime()).put("group", job.job.get("group")).put("member", member.memberId())
                    .put("generation", member.generationId()).put("rules", rules).places(places).end(null));
            }
        }

        @Override
        public void onPartitionsAssigned(Collection<TopicPartition> places) {
            moved("assign", places);
        }

        @Override
        public void onPartitionsRevoked(Collection<TopicPartition> places) {
            moved("revoke", places);
        }

        @Override
        public void onPartitionsLost(Collection<TopicPartition> places) {
            moved("lost", places);
        }
    }
}

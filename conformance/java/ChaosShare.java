import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import org.apache.kafka.clients.consumer.AcknowledgeType;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.ConsumerRecords;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.common.KafkaException;
import org.apache.kafka.common.TopicIdPartition;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;

/** A member of a share group that accepts most of what it gets and gives some of it back. */
final class ChaosShare {
    private final Chaos job;
    private final int process;

    ChaosShare(Chaos job) {
        this.job = job;
        process = job.next();
    }

    void run() throws InterruptedException {
        Properties p = job.properties("group.id", job.job.get("group"), "share.acknowledgement.mode", "explicit", "fetch.max.wait.ms", "500");
        try (KafkaShareConsumer<byte[], byte[]> c = new KafkaShareConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            c.subscribe(job.topics());
            long before = System.nanoTime();
            long last = before;
            while (!job.stopping.get()) {
                try {
                    ConsumerRecords<byte[], byte[]> got = c.poll(Duration.ofMillis(500));
                    acquired(got, before);
                    before = last;
                    last = System.nanoTime();
                    acknowledge(c, got);
                } catch (KafkaException e) {
                    Chaos.complain(e);
                }
                job.breathe(job.random);
            }
        }
    }

    /** Tells of what came, which may have been fetched at any time since the last poll but one. */
    private void acquired(ConsumerRecords<byte[], byte[]> got, long since) {
        for (TopicPartition tp : got.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> all = got.records(tp);
            Chaos.Line line = new Chaos.Line("shareAcquire", process, since).put("group", job.job.get("group")).at(tp).records(all);
            line.text.append(",\"deliveries\":").append(all.stream().map(r -> (int) r.deliveryCount().orElse((short) 0)).toList());
            job.tell(line.end(null));
        }
    }

    private void acknowledge(KafkaShareConsumer<byte[], byte[]> c, ConsumerRecords<byte[], byte[]> got) {
        Map<TopicPartition, List<Chaos.Line>> lines = new HashMap<>();
        for (TopicPartition tp : got.partitions()) {
            List<ConsumerRecord<byte[], byte[]>> accepted = new ArrayList<>();
            List<ConsumerRecord<byte[], byte[]>> back = new ArrayList<>();
            for (ConsumerRecord<byte[], byte[]> r : got.records(tp)) {
                (job.random.nextInt(50) == 0 ? back : accepted).add(r);
            }
            lines.put(tp, new ArrayList<>());
            say(lines.get(tp), tp, "accept", accepted);
            say(lines.get(tp), tp, "release", back);
            accepted.forEach(r -> c.acknowledge(r, AcknowledgeType.ACCEPT));
            back.forEach(r -> c.acknowledge(r, AcknowledgeType.RELEASE));
        }
        if (lines.isEmpty()) {
            return;
        }
        Map<TopicPartition, Throwable> wrong = new HashMap<>();
        try {
            Map<TopicIdPartition, Optional<KafkaException>> answers = c.commitSync(Duration.ofSeconds(10));
            lines.keySet().forEach(tp -> wrong.put(tp, new IllegalStateException("no answer")));
            answers.forEach((tp, e) -> wrong.put(tp.topicPartition(), e.orElse(null)));
        } catch (KafkaException e) {
            lines.keySet().forEach(tp -> wrong.put(tp, e));
        }
        lines.forEach((tp, ls) -> ls.forEach(l -> job.tell(l.end(wrong.get(tp)))));
    }

    private void say(List<Chaos.Line> lines, TopicPartition tp, String how, List<ConsumerRecord<byte[], byte[]>> records) {
        if (!records.isEmpty()) {
            lines.add(new Chaos.Line("shareAck", process, System.nanoTime()).put("group", job.job.get("group")).at(tp).records(records).put("ack", how));
        }
    }
}

import com.fasterxml.jackson.databind.ObjectMapper;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.ThreadLocalRandom;
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

/** The pipeline of conformance/eos with Kafka's Java client; kit/eos/worker says how it is told what to do. */
public final class Pipeline {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST = 40;
    private final Map<String, String> job = new HashMap<>();

    public static void main(String[] args) throws Exception {
        Pipeline p = new Pipeline();
        for (int i = 0; i < args.length; i++) {
            String[] parts = args[i].replaceFirst("^-+", "").split("=", 2);
            p.job.put(parts[0], parts.length == 2 ? parts[1] : args[++i]);
        }
        say("ready", 0, null);
        while (true) {
            try {
                p.session();
            } catch (ProducerFencedException | InvalidProducerEpochException e) {
                say("fenced", 0, e);
                Runtime.getRuntime().halt(3);
            } catch (KafkaException e) {
                say("failed", 0, e);
                Thread.sleep(200);
            }
        }
    }

    private static synchronized void say(String event, int records, Object reason) throws Exception {
        Map<String, Object> line = new LinkedHashMap<>();
        line.put("event", event);
        line.put("records", records);
        if (reason != null) {
            line.put("reason", String.valueOf(reason));
        }
        System.out.println(JSON.writeValueAsString(line));
        if (System.out.checkError()) {
            Runtime.getRuntime().halt(1); // nobody listens any more
        }
    }

    private Properties properties(String... more) {
        Properties p = new Properties();
        p.put("bootstrap.servers", job.get("bootstrap"));
        p.put("client.id", job.get("id"));
        for (int i = 0; i < more.length; i += 2) {
            p.put(more[i], more[i + 1]);
        }
        return p;
    }

    /** Works until something goes wrong that a transaction cannot be aborted for. */
    private void session() throws Exception {
        Properties c = properties("group.id", job.get("group"), "isolation.level", "read_committed", "auto.offset.reset", "earliest",
            "enable.auto.commit", "false", "max.poll.records", "" + MOST, "group.protocol", job.get("protocol"), "fetch.max.wait.ms", "200");
        if (job.get("protocol").equals("classic")) {
            c.put("session.timeout.ms", "6000");
            c.put("heartbeat.interval.ms", "500");
        }
        Properties p = properties("transactional.id", job.get("id"), "transaction.timeout.ms", "10000");
        try (KafkaProducer<byte[], byte[]> producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
             KafkaConsumer<byte[], byte[]> consumer = new KafkaConsumer<>(c, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            producer.initTransactions();
            consumer.subscribe(List.of(job.get("in")));
            while (true) {
                ConsumerRecords<byte[], byte[]> records = consumer.poll(Duration.ofMillis(200));
                if (!records.isEmpty()) {
                    transaction(producer, consumer, records);
                }
            }
        }
    }

    private void transaction(KafkaProducer<byte[], byte[]> producer, KafkaConsumer<byte[], byte[]> consumer, ConsumerRecords<byte[], byte[]> records) throws Exception {
        ConsumerGroupMetadata member = consumer.groupMetadata(); // as it was when the records came: the server refuses it if the group has moved on
        try {
            producer.beginTransaction();
            Map<TopicPartition, OffsetAndMetadata> next = new HashMap<>();
            for (ConsumerRecord<byte[], byte[]> r : records) {
                producer.send(new ProducerRecord<>(job.get("out"), r.partition(), r.key(), r.value()));
                next.put(new TopicPartition(r.topic(), r.partition()), new OffsetAndMetadata(r.offset() + 1));
            }
            if (ThreadLocalRandom.current().nextInt(4) == 0) {
                Thread.sleep(ThreadLocalRandom.current().nextInt(300)); // so that some are killed in it
            }
            if (ThreadLocalRandom.current().nextInt(8) == 0) {
                throw new KafkaException("given up");
            }
            producer.sendOffsetsToTransaction(next, member);
            producer.commitTransaction();
            say("commit", records.count(), null);
        } catch (ProducerFencedException | InvalidProducerEpochException e) {
            throw e;
        } catch (KafkaException e) {
            producer.abortTransaction();
            say("abort", 0, e);
            rewind(consumer);
        }
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

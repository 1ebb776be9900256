import java.util.ArrayList;
import java.util.List;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Sends bursts of records to each partition, one at a time, with an idempotent producer. */
final class ChaosSend {
    private final Chaos job;
    private final int process;
    private final KafkaProducer<byte[], byte[]> producer;
    private long seq;

    ChaosSend(Chaos job) {
        this.job = job;
        process = job.next();
        Properties p = job.properties("acks", "all", "enable.idempotence", "true", "linger.ms", "2", "compression.type", job.job.getOrDefault("codec", "none"),
            "delivery.timeout.ms", job.job.containsKey("patient") ? "600000" : "10000", "max.block.ms", "60000");
        producer = new KafkaProducer<>(p, new ByteArraySerializer(), new ByteArraySerializer());
    }

    void run() throws InterruptedException {
        List<Thread> threads = new ArrayList<>();
        for (TopicPartition tp : job.partitions) {
            SplittableRandom random = job.random.split();
            Thread t = new Thread(() -> {
                try {
                    while (!job.stopping.get()) {
                        burst(tp, random);
                        job.breathe(random);
                    }
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
            });
            t.start();
            threads.add(t);
        }
        for (Thread t : threads) {
            t.join();
        }
        producer.close();
    }

    /** Waits until all of the burst is known; the client's own patience ends it. */
    private void burst(TopicPartition tp, SplittableRandom random) throws InterruptedException {
        int n = 1 + random.nextInt(job.number("most", 100));
        CountDownLatch known = new CountDownLatch(n);
        synchronized (this) { // numbers rise in the order in which the client is given the records
            for (int i = 0; i < n; i++) {
                String name = process + "#" + seq++;
                Chaos.Line line = new Chaos.Line("send", process, System.nanoTime()).at(tp).put("value", name);
                // The client may say that something failed and throw it, too: the first word counts.
                AtomicBoolean first = new AtomicBoolean(true);
                Consumer<Throwable> told = wrong -> {
                    if (first.getAndSet(false)) {
                        job.tell(line.end(wrong));
                        known.countDown();
                    }
                };
                try {
                    producer.send(new ProducerRecord<>(tp.topic(), tp.partition(), null, Chaos.value(name, Chaos.size(random))), (at, wrong) -> {
                        if (wrong == null) {
                            line.put("offset", at.offset());
                        }
                        told.accept(wrong);
                    });
                } catch (RuntimeException wrong) {
                    told.accept(wrong);
                    Chaos.complain(wrong);
                }
            }
        }
        known.await();
    }
}

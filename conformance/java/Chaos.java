import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.BufferedWriter;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.SplittableRandom;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.common.TopicPartition;

/**
 * A worker of conformance/chaos with Kafka's Java clients: it does one job until SIGTERM and
 * tells in lines of docs/formats/history.md what it tried and what came of it.
 */
public final class Chaos {
    final Map<String, String> job = new HashMap<>();
    final List<TopicPartition> partitions = new ArrayList<>();
    final AtomicBoolean stopping = new AtomicBoolean();
    final SplittableRandom random;
    private final CountDownLatch done = new CountDownLatch(1);
    private final BufferedWriter out;
    private final boolean mortal;
    private int process;
    private volatile int status;

    private Chaos(String[] args) throws IOException {
        for (String arg : args) {
            String[] parts = arg.replaceFirst("^-+", "").split("=", 2);
            job.put(parts[0], parts.length == 2 ? parts[1] : "true");
        }
        for (String t : job.get("topics").split(",")) {
            String[] parts = t.split(":");
            for (int p = 0; p < Integer.parseInt(parts[1]); p++) {
                partitions.add(new TopicPartition(parts[0], p));
            }
        }
        mortal = job.containsKey("mortal");
        process = Integer.parseInt(job.get("process")) - 1;
        random = new SplittableRandom(Long.parseUnsignedLong(job.getOrDefault("seed", "1")));
        out = Files.newBufferedWriter(Path.of(job.get("out")), StandardOpenOption.CREATE, StandardOpenOption.APPEND);
    }

    public static void main(String[] args) throws Exception {
        Chaos c = new Chaos(args);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> {
            c.stopping.set(true);
            try {
                c.done.await();
                c.close();
                Runtime.getRuntime().halt(c.status); // SIGTERM is how it is meant to end
            } catch (InterruptedException | IOException e) {
                System.err.println(e);
            }
        }));
        try {
            c.work();
        } catch (Exception e) {
            e.printStackTrace();
            c.exit(1);
        }
        c.exit(0);
    }

    private void work() throws Exception {
        switch (job.get("do")) {
            case "send" -> new ChaosSend(this).run();
            case "pipe" -> new ChaosPipe(this).run();
            case "read" -> new ChaosRead(this).read();
            case "member" -> new ChaosRead(this).member();
            case "share" -> new ChaosShare(this).run();
            default -> throw new IllegalArgumentException("there is no job " + job.get("do"));
        }
    }

    /** Ends the process once all lines are written. */
    void exit(int status) {
        this.status = status;
        done.countDown();
        System.exit(status);
    }

    Properties properties(String... more) {
        Properties p = new Properties();
        p.put("bootstrap.servers", job.get("bootstrap"));
        p.put("client.id", "chaos-" + job.get("process"));
        p.put("metadata.max.age.ms", "5000");
        p.put("request.timeout.ms", "5000");
        for (int i = 0; i < more.length; i += 2) {
            p.put(more[i], more[i + 1]);
        }
        return p;
    }

    List<String> topics() {
        return partitions.stream().map(TopicPartition::topic).distinct().toList();
    }

    int number(String name, int unless) {
        return Integer.parseInt(job.getOrDefault(name, "" + unless));
    }

    /** The process of a client that starts: it has that number alone. */
    int next() {
        return ++process;
    }

    /** Waits half to one and a half of the pace. */
    void breathe(SplittableRandom random) throws InterruptedException {
        int pace = number("pace", 50);
        Thread.sleep(pace / 2 + random.nextInt(pace + 1));
    }

    synchronized void tell(Line line) {
        try {
            out.append(line.text).append("}\n");
            if (mortal) {
                out.flush();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    synchronized void close() throws IOException {
        out.close();
    }

    /** Tells people, not checkers, what went wrong. */
    static void complain(Object what) {
        System.err.println(what);
    }

    /** What a record of this name holds: its name, again and again. */
    static byte[] value(String name, int size) {
        StringBuilder b = new StringBuilder(name).append(';');
        int n = b.length();
        while (b.length() < size) {
            b.append(b.charAt(b.length() - n));
        }
        return b.toString().getBytes(UTF_8);
    }

    /** The name that a value repeats, or null if it is none of ours. */
    static String name(byte[] value) {
        if (value == null) {
            return null;
        }
        String text = new String(value, UTF_8);
        int n = text.indexOf(';') + 1;
        for (int i = n; i < text.length(); i++) {
            if (n == 0 || text.charAt(i) != text.charAt(i - n)) {
                return null;
            }
        }
        return n > 0 && text.substring(0, n - 1).matches("[1-9][0-9]*#[0-9]+") ? text.substring(0, n - 1) : null;
    }

    /** Sizes are small for most, so that there are many records, and larger for a few. */
    static int size(SplittableRandom random) {
        return random.nextInt(50) == 0 ? 1000 + random.nextInt(3000) : random.nextInt(100);
    }

    /** A line of the history that lacks its last bracket. */
    static final class Line {
        final StringBuilder text = new StringBuilder();

        Line(String kind, int process, long invoke) {
            text.append("{\"kind\":\"").append(kind).append("\",\"process\":").append(process).append(",\"invoke\":").append(invoke);
        }

        Line put(String name, long value) {
            text.append(",\"").append(name).append("\":").append(value);
            return this;
        }

        Line put(String name, String value) {
            text.append(",\"").append(name).append("\":\"");
            for (char c : value.toCharArray()) {
                if (c < ' ' || c == '"' || c == '\\') {
                    text.append(String.format("\\u%04x", (int) c));
                } else {
                    text.append(c);
                }
            }
            text.append('"');
            return this;
        }

        Line flag(String name, boolean value) {
            if (value) {
                text.append(",\"").append(name).append("\":true");
            }
            return this;
        }

        Line at(TopicPartition tp) {
            return put("topic", tp.topic()).put("partition", tp.partition());
        }

        /** How it ended: well, or in a way of which nothing is known. */
        Line end(Throwable wrong) {
            put("outcome", wrong == null ? "ok" : "info");
            if (wrong != null) {
                put("err", wrong.getClass().getSimpleName());
            }
            return put("return", System.nanoTime());
        }

        Line records(List<? extends ConsumerRecord<byte[], byte[]>> records) {
            text.append(",\"records\":[");
            String comma = "";
            for (ConsumerRecord<byte[], byte[]> r : records) {
                text.append(comma).append('[').append(r.offset());
                comma = ",";
                String name = name(r.value());
                if (name != null) {
                    text.append(",\"").append(name).append('"');
                }
                text.append(']');
            }
            text.append(']');
            return this;
        }

        Line places(Iterable<TopicPartition> places) {
            text.append(",\"places\":[");
            String comma = "";
            for (TopicPartition tp : places) {
                text.append(comma).append("{\"topic\":\"").append(tp.topic()).append("\",\"partition\":").append(tp.partition()).append('}');
                comma = ",";
            }
            text.append(']');
            return this;
        }
    }
}

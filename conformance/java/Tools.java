import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.InputStream;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.apache.kafka.common.utils.Exit;

/** Runs the scenarios with Kafka's own command line tools, each called as its script calls it. */
public final class Tools {
    private static final String T = "org.apache.kafka.tools.";
    private static final String TOPICS = T + "TopicCommand";
    private static final String CONFIGS = "kafka.admin.ConfigCommand";
    private static final String PRODUCER = T + "ConsoleProducer";
    private static final String CONSUMER = T + "consumer.ConsoleConsumer";
    private static final String GROUPS = T + "consumer.group.ConsumerGroupCommand";
    private static final String OFFSETS = T + "GetOffsetShell";
    private static final String DUMP = "kafka.tools.DumpLogSegments";

    public static void main(String[] args) throws Exception {
        Map<String, Scenarios.Body> bodies = new LinkedHashMap<>();
        bodies.put("cluster", Tools::cluster);
        bodies.put("topics", Tools::topics);
        bodies.put("configs", Tools::configs);
        bodies.put("acks", Tools::acks);
        bodies.put("codecs", Tools::codecs);
        bodies.put("headers", Tools::headers);
        bodies.put("nulls", Tools::nulls);
        bodies.put("big", Tools::big);
        bodies.put("idempotent", Tools::idempotent);
        bodies.put("positions", Tools::positions);
        bodies.put("group", Tools::group);
        bodies.put("static", Tools::staticMember);
        bodies.put("commit", Tools::commit);
        bodies.put("trim", Tools::trim);
        bodies.put("compact", Tools::compact);
        Scenarios.main("kafka tools", bodies, args);
    }

    /** What a tool printed, and the status that it ended with. */
    record Ran(int status, String out, String err) {
        List<String> lines() {
            return out.lines().toList();
        }

        /** The first line that a person would take for the reason. */
        String complaint() {
            List<String> lines = (out + err).lines().toList();
            return Stream.of("errors.", "rror", "xception").flatMap(w -> lines.stream().filter(l -> l.contains(w))).findFirst().orElse("")
                .replaceAll("\\[[0-9 :,-]+\\] ", "").replaceAll("\\s+\\(.*", "");
        }
    }

    private static final class Exited extends RuntimeException {
        Exited() {
            super(null, null, false, false);
        }
    }

    /** Calls a tool's main as its script does, with its own standard streams. */
    private static synchronized Ran tool(String name, String input, String... args) throws Exception {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        PrintStream oldOut = System.out;
        PrintStream oldErr = System.err;
        InputStream oldIn = System.in;
        List<Runnable> hooks = new ArrayList<>();
        List<Integer> ends = new ArrayList<>(); // tools catch what they throw to end, and end again
        Exit.Procedure exit = (status, message) -> {
            ends.add(status);
            throw new Exited();
        };
        Exit.setExitProcedure(exit);
        Exit.setHaltProcedure(exit);
        Exit.setShutdownHookAdder((hook, run) -> hooks.add(run));
        try {
            System.setOut(new PrintStream(out, true, UTF_8));
            System.setErr(new PrintStream(err, true, UTF_8));
            System.setIn(new ByteArrayInputStream(input.getBytes(UTF_8)));
            try {
                Class.forName(name).getMethod("main", String[].class).invoke(null, (Object) args);
            } catch (java.lang.reflect.InvocationTargetException e) {
                if (!(e.getCause() instanceof Exited)) {
                    throw new AssertionError(name + " threw " + e.getCause(), e.getCause());
                }
            }
            hooks.forEach(Runnable::run); // a script's JVM would run them as it ends
        } finally {
            System.out.flush();
            System.setOut(oldOut);
            System.setErr(oldErr);
            System.setIn(oldIn);
        }
        return new Ran(ends.isEmpty() ? 0 : ends.get(0), out.toString(UTF_8), err.toString(UTF_8));
    }

    /** A tool with the bootstrap address, which must end well. */
    private static Ran ok(Scenarios s, String name, String... args) throws Exception {
        Ran r = ran(s, name, args);
        if (r.status != 0) {
            throw new AssertionError(name + " " + String.join(" ", args) + " ended with " + r.status + ": " + r.out + r.err);
        }
        return r;
    }

    private static Ran ran(Scenarios s, String name, String... args) throws Exception {
        return tool(name, "", with(args, "--bootstrap-server", s.bootstrap));
    }

    private static String[] with(String[] args, String... more) {
        return Stream.concat(Arrays.stream(more), Arrays.stream(args)).toArray(String[]::new);
    }

    private static void create(Scenarios s, int partitions, String... configs) throws Exception {
        List<String> args = new ArrayList<>(List.of("--create", "--topic", s.topic, "--partitions", "" + partitions, "--replication-factor", "" + s.copies));
        for (String c : configs) {
            args.addAll(List.of("--config", c));
        }
        ok(s, TOPICS, args.toArray(String[]::new));
        Scenarios.eventually("status of describe", () -> ran(s, TOPICS, "--describe", "--topic", s.topic).status, 0);
    }

    private static void produce(Scenarios s, String lines, String... args) throws Exception {
        Ran r = tool(PRODUCER, lines, with(args, "--bootstrap-server", s.bootstrap, "--topic", s.topic));
        if (r.status != 0 || (r.out + r.err).contains("ERROR")) {
            throw new AssertionError("the producer ended with " + r.status + ": " + r.out + r.err);
        }
    }

    private static List<String> consume(Scenarios s, int max, String... args) throws Exception {
        return ok(s, CONSUMER, with(args, "--topic", s.topic, "--max-messages", "" + max, "--timeout-ms", "10000")).lines();
    }

    private static String numbered(int n) {
        return IntStream.range(0, n).mapToObj(i -> i + "\n").collect(Collectors.joining());
    }

    private static void cluster(Scenarios s) throws Exception {
        String versions = ok(s, T + "BrokerApiVersionsCommand").out;
        Scenarios.want("broker line", versions.contains("(id: 1 rack: null isFenced: false) -> ("), true);
        s.observe("requests that a Java client does not know", Pattern.compile("UNKNOWN\\((\\d+)\\)").matcher(versions).results().map(m -> m.group(1)).toList());
        Matcher m = Pattern.compile("(?m)^(\\w+):").matcher(ok(s, T + "MetadataQuorumCommand", "describe", "--status").out);
        s.observe("quorum status", m.results().map(r -> r.group(1)).toList());
        List<String> replicas = ok(s, T + "MetadataQuorumCommand", "describe", "--replication").lines();
        s.observe("quorum replication", replicas.size() + " lines, " + replicas.get(0).replaceAll("\\s+", " "));
        Map<String, String> features = new TreeMap<>();
        for (String line : ok(s, T + "FeatureCommand", "describe").lines()) {
            Matcher f = Pattern.compile("Feature: (\\S+)\\s+SupportedMinVersion: (\\S+)\\s+SupportedMaxVersion: (\\S+)\\s+FinalizedVersionLevel: (\\S+)").matcher(line);
            if (f.find()) {
                features.put(f.group(1), f.group(2) + "-" + f.group(3) + " at " + f.group(4));
            }
        }
        features.forEach((k, v) -> s.observe("feature " + k, v));
        Scenarios.want("cluster id", tool(T + "ClusterTool", "", "cluster-id", "--bootstrap-server", s.bootstrap).out.startsWith("Cluster ID: "), true);
        create(s, 2);
        String dirs = ok(s, T + "LogDirsCommand", "--describe", "--topic-list", s.topic).out;
        int found = dirs.split("\"partition\":").length - 1;
        Scenarios.want("partitions in log dirs", s.copies == 1 ? found : found >= 2 && found <= 2 * s.copies && found % 2 == 0 ? 2 : found, 2);
        Ran elect = ran(s, T + "LeaderElectionCommand", "--election-type", "preferred", "--topic", s.topic, "--partition", "0");
        s.observe("election that is not needed", elect.status + " " + elect.out.strip());
        Path plan = Files.createTempFile("plan", ".json");
        Files.writeString(plan, "{\"version\":1,\"partitions\":[{\"topic\":\"" + s.topic + "\",\"partition\":0,\"replicas\":" + (s.copies == 1 ? "[1]" : "[3,2,1]") + "}]}");
        String reassign = T + "reassign.ReassignPartitionsCommand";
        Ran moved = ran(s, reassign, "--reassignment-json-file", plan.toString(), "--execute");
        s.observe("reassignment", moved.status + " " + moved.out.lines().filter(l -> l.startsWith("Success")).toList());
        Ran verify = ran(s, reassign, "--reassignment-json-file", plan.toString(), "--verify");
        s.observe("verification", verify.status + " " + verify.out.lines().filter(l -> l.startsWith("Reassignment")).toList());
        Scenarios.eventually("list", () -> ok(s, reassign, "--list").out.contains("No partition reassignments found."), true);
    }

    private static void topics(Scenarios s) throws Exception {
        create(s, 3, "retention.ms=60000");
        String d = ok(s, TOPICS, "--describe", "--topic", s.topic).out;
        // Kafka lists the cluster's min.insync.replicas: docs/DIFFERENCES.md tells why.
        s.observe("describe", d.replaceAll("TopicId: \\S+", "TopicId: …").replace("min.insync.replicas=1,", "").replaceAll("[ \t]+", " ").strip());
        s.observe("again", ran(s, TOPICS, "--create", "--topic", s.topic).complaint());
        s.observe("three copies", ran(s, TOPICS, "--create", "--topic", s.topic + ".x", "--replication-factor", "3").complaint());
        s.observe("wrong config", ran(s, TOPICS, "--create", "--topic", s.topic + ".x", "--config", "retention.ms=soon").complaint());
        ok(s, TOPICS, "--alter", "--topic", s.topic, "--partitions", "5");
        s.observe("fewer partitions", ran(s, TOPICS, "--alter", "--topic", s.topic, "--partitions", "2").complaint());
        Scenarios.want("listed", ok(s, TOPICS, "--list").lines().contains(s.topic), true);
        ok(s, TOPICS, "--delete", "--topic", s.topic);
        s.observe("delete again", ran(s, TOPICS, "--delete", "--topic", s.topic).complaint().replaceAll("Error while executing topic command : ", ""));
        Scenarios.eventually("listed after", () -> ok(s, TOPICS, "--list").lines().contains(s.topic), false);
    }

    private static void configs(Scenarios s) throws Exception {
        create(s, 1);
        String[] topic = {"--entity-type", "topics", "--entity-name", s.topic};
        ok(s, CONFIGS, with(topic, "--alter", "--add-config", "retention.ms=123456,cleanup.policy=[compact,delete]"));
        settled(s, "retention.ms", true, topic);
        s.observe("describe", ok(s, CONFIGS, with(topic, "--describe")).out.strip());
        s.observe("wrong value", ran(s, CONFIGS, with(topic, "--alter", "--add-config", "retention.ms=soon")).complaint());
        s.observe("unknown key", ran(s, CONFIGS, with(topic, "--alter", "--add-config", "no.such.key=1")).complaint());
        ok(s, CONFIGS, with(topic, "--alter", "--delete-config", "retention.ms"));
        settled(s, "retention.ms", false, topic);
        s.observe("after delete", ok(s, CONFIGS, with(topic, "--describe")).out.strip());
        String all = ok(s, CONFIGS, with(topic, "--describe", "--all")).out;
        for (String line : all.lines().skip(1).toList()) {
            String[] kv = line.strip().split(" sensitive=", 2);
            s.observe("topic " + kv[0].split("=", 2)[0], kv[0].split("=", 2)[1] + " " + kv[1]);
        }
        String[] broker = {"--entity-type", "brokers", "--entity-name", "1"};
        ok(s, CONFIGS, with(broker, "--alter", "--add-config", "log.retention.ms=86400000"));
        settled(s, "log.retention.ms", true, broker);
        s.observe("broker", ok(s, CONFIGS, with(broker, "--describe")).out.strip());
        ok(s, CONFIGS, with(broker, "--alter", "--delete-config", "log.retention.ms"));
        ok(s, CONFIGS, "--entity-type", "brokers", "--entity-default", "--alter", "--add-config", "log.retention.ms=86400000");
        settled(s, "log.retention.ms", true, "--entity-type", "brokers", "--entity-default");
        s.observe("default of all brokers", ok(s, CONFIGS, "--entity-type", "brokers", "--entity-default", "--describe").out.strip());
        ok(s, CONFIGS, "--entity-type", "brokers", "--entity-default", "--alter", "--delete-config", "log.retention.ms");
    }

    /** Waits until a description has, or no longer has, a key. */
    private static void settled(Scenarios s, String key, boolean there, String... entity) throws Exception {
        Scenarios.eventually(key, () -> ok(s, CONFIGS, with(entity, "--describe")).out.contains(" " + key + "="), there);
    }

    private static void acks(Scenarios s) throws Exception {
        create(s, 1);
        for (String acks : List.of("0", "1", "all")) {
            produce(s, numbered(30), "--request-required-acks", acks);
            consume(s, 30, "--from-beginning"); // what acks 0 sent may still be on its way
        }
        List<String> got = consume(s, 90, "--from-beginning");
        Scenarios.want("values", String.join("\n", got) + "\n", numbered(30).repeat(3));
    }

    private static void codecs(Scenarios s) throws Exception {
        create(s, 1, "segment.ms=200", "index.interval.bytes=100"); // each codec gets a segment of its own
        String line = "the spool of thread ".repeat(20) + "\n";
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            produce(s, line.repeat(20), "--compression-codec", codec);
            Thread.sleep(300);
        }
        Scenarios.want("values", String.join("\n", consume(s, 100, "--from-beginning")) + "\n", line.repeat(100));
        Path dir = Path.of(System.getenv("PEER_LOG_DIR"), s.topic + "-0");
        Ran dump = tool(DUMP, "", "--deep-iteration", "--files", files(dir, ".log", false));
        Scenarios.want("status of the dump", dump.status, 0);
        s.observe("codecs in the segments", new TreeSet<>(Pattern.compile("compresscodec: (\\w+)").matcher(dump.out).results().map(m -> m.group(1)).toList()));
        Scenarios.want("batches are valid", dump.out.contains("isvalid: false"), false);
        Scenarios.want("records in the segments", dump.out.lines().filter(l -> l.startsWith("| offset:")).count(), 100);
        for (String suffix : List.of(".index", ".timeindex")) {
            Ran d = tool(DUMP, "", "--files", files(dir, suffix, true)); // compares each entry with the segment
            Scenarios.want("what is wrong with " + suffix, d.status + " " + d.out.lines().filter(l -> l.contains("ismatch") || l.contains("out of order")).toList(), "0 []");
        }
    }

    /** The files of a partition with a suffix; closed leaves out the last segment's. */
    private static String files(Path dir, String suffix, boolean closed) throws Exception {
        try (Stream<Path> all = Files.list(dir)) {
            List<String> list = all.map(Path::toString).filter(f -> f.endsWith(suffix)).sorted().toList();
            Path last;
            try (Stream<Path> again = Files.list(dir)) {
                last = again.filter(f -> f.toString().endsWith(".log")).sorted().reduce((x, y) -> y).orElseThrow();
            }
            String active = last.toString().replace(".log", suffix);
            list = list.stream().filter(f -> !closed || !f.equals(active)).toList();
            Scenarios.want("there are files with " + suffix, list.isEmpty(), false);
            return String.join(",", list);
        }
    }

    private static void headers(Scenarios s) throws Exception {
        create(s, 1);
        produce(s, "a:1,a:2,empty:\tv\n", "--reader-property", "parse.headers=true");
        s.observe("headers", consume(s, 1, "--from-beginning", "--formatter-property", "print.headers=true", "--formatter-property", "print.offset=true"));
    }

    private static void nulls(Scenarios s) throws Exception {
        create(s, 1);
        produce(s, "NULL\tNULL\nk\tNULL\nNULL\tv\n\t\nk\tv\n", "--reader-property", "parse.key=true", "--reader-property", "null.marker=NULL");
        s.observe("records", consume(s, 5, "--from-beginning", "--formatter-property", "print.key=true", "--formatter-property", "null.literal=(null)"));
    }

    private static void big(Scenarios s) throws Exception {
        create(s, 1);
        String text = "0123456789".repeat(100_000);
        produce(s, text + "\n", "--command-property", "max.request.size=8000000");
        Scenarios.want("same bytes", consume(s, 1, "--from-beginning").get(0).equals(text), true);
        Ran r = tool(PRODUCER, text + text + "\n", "--bootstrap-server", s.bootstrap, "--topic", s.topic, "--command-property", "max.request.size=8000000", "--sync");
        Scenarios.want("twice as many bytes are refused", (r.out + r.err).contains("RecordTooLargeException"), true);
    }

    private static void idempotent(Scenarios s) throws Exception {
        create(s, 1);
        Ran r = tool(PRODUCER, numbered(1000), "--bootstrap-server", s.flaky, "--topic", s.topic, "--command-property", "client.id=kafka tools",
            "--command-property", "enable.idempotence=true", "--batch-size", "200", "--max-partition-memory-bytes", "200", "--request-required-acks", "all",
            "--command-property", "reconnect.backoff.ms=10", "--command-property", "reconnect.backoff.max.ms=50", "--message-send-max-retries", "1000", "--retry-backoff-ms", "20");
        Scenarios.want("status", r.status, 0);
        Scenarios.want("values", String.join("\n", consume(s, 1000, "--from-beginning")) + "\n", numbered(1000));
        Scenarios.want("end", ok(s, OFFSETS, "--topic", s.topic).out.strip(), s.topic + ":0:1000");
    }

    private static void positions(Scenarios s) throws Exception {
        create(s, 1);
        produce(s, numbered(100));
        Scenarios.want("from offset", consume(s, 1, "--partition", "0", "--offset", "40"), "[40]");
        Scenarios.want("from start", consume(s, 1, "--partition", "0", "--offset", "earliest"), "[0]");
        for (String at : List.of("earliest", "latest", "1700000000000", "4000000000000", "earliest-local", "latest-tiered")) {
            Ran r = ran(s, OFFSETS, "--topic", s.topic, "--time", at);
            s.observe("offset of " + at, r.status + " " + r.out.strip());
        }
        Ran none = ran(s, CONSUMER, "--topic", s.topic, "--partition", "0", "--offset", "latest", "--timeout-ms", "500");
        Scenarios.want("from end", none.out, "");
    }

    /** A console consumer in a process of its own, as one of the scenario's group. */
    private static Process member(Scenarios s, String... properties) throws Exception {
        List<String> argv = new ArrayList<>(List.of("java", "-Xmx96m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp", System.getProperty("java.class.path"),
            CONSUMER, "--bootstrap-server", s.bootstrap, "--topic", s.topic, "--group", s.topic,
            "--command-property", "heartbeat.interval.ms=200", "--command-property", "session.timeout.ms=6000",
            "--command-property", "partition.assignment.strategy=org.apache.kafka.clients.consumer.RangeAssignor"));
        for (String p : properties) {
            argv.addAll(List.of("--command-property", p));
        }
        return new ProcessBuilder(argv).redirectErrorStream(true).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    }

    /** Waits until the tool says that the group is stable with members that have so many partitions. */
    private static Ran await(Scenarios s, String want) throws Exception {
        for (long end = System.nanoTime() + 30_000_000_000L;; Thread.sleep(100)) {
            Ran state = ran(s, GROUPS, "--describe", "--group", s.topic, "--state");
            Ran members = ran(s, GROUPS, "--describe", "--group", s.topic, "--members", "--verbose");
            List<String> counts = members.lines().stream().filter(l -> l.startsWith(s.topic)).map(l -> Pattern.compile("console-consumer\\s+(\\d+)").matcher(l))
                .filter(Matcher::find).map(m -> m.group(1)).sorted().toList();
            if (state.out.contains("Stable") && counts.toString().equals(want)) {
                return members;
            }
            if (System.nanoTime() > end) {
                throw new AssertionError("want members with " + want + ", have " + state.out + members.out + members.err);
            }
        }
    }

    private static void group(Scenarios s) throws Exception {
        create(s, 4);
        Process one = member(s);
        Process two = member(s);
        try {
            await(s, "[2, 2]");
            two.destroy();
            two.waitFor();
            await(s, "[4]");
            two = member(s);
            await(s, "[2, 2]");
            String state = ok(s, GROUPS, "--describe", "--group", s.topic, "--state").lines().stream().filter(l -> l.startsWith(s.topic)).findFirst().orElse("");
            s.observe("state", state.replaceAll("127.0.0.1:\\d+", "ADDRESS").replaceAll("\\s+", " ").strip());
        } finally {
            one.destroy();
            two.destroy();
            one.waitFor();
            two.waitFor();
        }
        Scenarios.want("listed", ok(s, GROUPS, "--list").lines().contains(s.topic), true);
    }

    private static void staticMember(Scenarios s) throws Exception {
        create(s, 2);
        Process one = member(s, "group.instance.id=one");
        try {
            String before = row(s, await(s, "[2]"));
            one.destroy();
            one.waitFor();
            Scenarios.want("the member stays", row(s, await(s, "[2]")).contains("one"), true);
            one = member(s, "group.instance.id=one");
            for (long end = System.nanoTime() + 20_000_000_000L;; Thread.sleep(100)) {
                if (!row(s, await(s, "[2]")).equals(before)) {
                    break;
                }
                if (System.nanoTime() > end) {
                    throw new AssertionError("the member did not come back: " + before);
                }
            }
        } finally {
            one.destroy();
            one.waitFor();
        }
    }

    private static void commit(Scenarios s) throws Exception {
        create(s, 1);
        produce(s, numbered(50));
        String[] group = {"--group", s.topic};
        Scenarios.want("first ten", consume(s, 10, with(group, "--from-beginning")).size(), 10);
        Scenarios.want("after commit", consume(s, 1, group), "[10]");
        s.observe("describe", row(s, ok(s, GROUPS, with(group, "--describe"))));
        Ran reset = ok(s, GROUPS, with(group, "--reset-offsets", "--to-offset", "5", "--topic", s.topic, "--execute"));
        s.observe("reset", row(s, reset));
        Scenarios.want("after seek", consume(s, 1, group), "[5]");
        s.observe("shift by", row(s, ok(s, GROUPS, with(group, "--reset-offsets", "--shift-by", "-3", "--topic", s.topic, "--dry-run"))));
        s.observe("to time", row(s, ok(s, GROUPS, with(group, "--reset-offsets", "--to-datetime", "2020-01-01T00:00:00.000", "--topic", s.topic, "--dry-run"))));
        s.observe("delete offsets", ran(s, GROUPS, with(group, "--delete-offsets", "--topic", s.topic)).out.replaceAll("\\s+", " ").strip());
        s.observe("delete", ok(s, GROUPS, with(group, "--delete")).out.strip());
        Ran gone = ran(s, GROUPS, with(group, "--describe"));
        s.observe("describe a deleted group", gone.status + " " + gone.complaint());
    }

    private static String row(Scenarios s, Ran r) {
        return r.lines().stream().filter(l -> l.startsWith(s.topic)).map(l -> l.replaceAll("\\s+", " ").strip()).collect(Collectors.joining("; "));
    }

    private static void trim(Scenarios s) throws Exception {
        create(s, 1);
        produce(s, numbered(100));
        s.observe("cut", cut(s, 30));
        Scenarios.want("start", ok(s, OFFSETS, "--topic", s.topic, "--time", "earliest").out.strip(), s.topic + ":0:30");
        Scenarios.want("first record", consume(s, 1, "--from-beginning"), "[30]");
        s.observe("beyond the end", cut(s, 1000));
        s.observe("all", cut(s, -1));
    }

    private static String cut(Scenarios s, long before) throws Exception {
        Path file = Files.createTempFile("cut", ".json");
        Files.writeString(file, "{\"version\":1,\"partitions\":[{\"topic\":\"" + s.topic + "\",\"partition\":0,\"offset\":" + before + "}]}");
        Ran r = ran(s, T + "DeleteRecordsCommand", "--offset-json-file", file.toString());
        return r.status + " " + r.out.lines().filter(l -> l.startsWith("partition: ")).collect(Collectors.joining());
    }

    private static void compact(Scenarios s) throws Exception {
        create(s, 1, "cleanup.policy=compact", "segment.ms=100", "min.cleanable.dirty.ratio=0.01", "delete.retention.ms=100");
        StringBuilder lines = new StringBuilder();
        for (int i = 0; i < 40; i++) {
            lines.append("k").append(i % 4).append('\t').append(i).append('\n');
        }
        String[] keyed = {"--reader-property", "parse.key=true", "--reader-property", "null.marker=NULL"};
        produce(s, lines + "k3\tNULL\n", keyed);
        for (int end = 42;; end++) {
            Thread.sleep(300); // the next record rolls the segment: by then its time has passed
            produce(s, "tick\tx\n", keyed);
            List<String> got = ran(s, CONSUMER, "--topic", s.topic, "--from-beginning", "--timeout-ms", "2500", "--formatter-property", "print.key=true", "--formatter-property", "print.offset=true").lines();
            Map<String, String> kept = new TreeMap<>();
            for (String line : got) {
                String[] f = line.split("\t");
                kept.put(f[1], f[2]);
            }
            if (!kept.containsKey("tick")) {
                continue; // the reader ran out of time
            }
            Scenarios.want("kept", kept.get("k0") + kept.get("k1") + kept.get("k2"), "363738");
            if (got.size() < 10 && !kept.containsKey("k3")) {
                s.observe("the tombstone went", true);
                return;
            }
        }
    }
}

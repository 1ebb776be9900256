import static java.nio.charset.StandardCharsets.UTF_8;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.DescribeConfigsOptions;
import org.apache.kafka.clients.admin.MemberToRemove;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.admin.RemoveMembersFromConsumerGroupOptions;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetAndTimestamp;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.WakeupException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/** Runs the scenarios with Kafka's Java client. */
public final class Clients {
    private static final long EPOCH = 1_700_000_000_000L; // the timestamp of the first record of positions

    /** Settings in which the two peers differ because the runner starts them so. */
    private static final Set<String> OF_THE_RUN = Set.of("advertised.listeners", "listeners", "log.dirs", "log.initial.task.delay.ms",
        "controller.quorum.bootstrap.servers", "controller.listener.names", "process.roles", "odradek.admin.listener");

    public static void main(String[] args) throws Exception {
        Map<String, Scenarios.Body> bodies = new LinkedHashMap<>();
        bodies.put("cluster", Clients::cluster);
        bodies.put("topics", Clients::topics);
        bodies.put("configs", Clients::configs);
        bodies.put("acks", Clients::acks);
        bodies.put("codecs", Clients::codecs);
        bodies.put("headers", Clients::headers);
        bodies.put("nulls", Clients::nulls);
        bodies.put("big", Clients::big);
        bodies.put("idempotent", Clients::idempotent);
        bodies.put("positions", Clients::positions);
        bodies.put("group", Clients::group);
        bodies.put("static", Clients::staticMember);
        bodies.put("commit", Clients::commit);
        bodies.put("trim", Clients::trim);
        bodies.put("compact", Clients::compact);
        Transactions.into(bodies);
        Modern.into(bodies);
        bodies.put("share", Sharing::share);
        Scenarios.main("java", bodies, args);
    }

    static Properties properties(String address, String... more) {
        Properties p = new Properties();
        p.put("bootstrap.servers", address);
        p.put("client.id", "java");
        for (int i = 0; i < more.length; i += 2) {
            p.put(more[i], more[i + 1]);
        }
        return p;
    }

    static Admin admin(Scenarios s) {
        return Admin.create(properties(s.bootstrap));
    }

    static void create(Scenarios s, int partitions, String... configs) throws Exception {
        Map<String, String> set = new TreeMap<>();
        for (int i = 0; i < configs.length; i += 2) {
            set.put(configs[i], configs[i + 1]);
        }
        try (Admin a = admin(s)) {
            a.createTopics(List.of(new NewTopic(s.topic, partitions, s.copies).configs(set))).all().get();
            Scenarios.eventually("listed", () -> a.listTopics().names().get().contains(s.topic), true);
        }
    }

    static KafkaProducer<byte[], byte[]> producer(String address, String... more) {
        return new KafkaProducer<>(properties(address, more), new ByteArraySerializer(), new ByteArraySerializer());
    }

    /** Sends one value after the other and waits for all. */
    private static void send(KafkaProducer<byte[], byte[]> p, Scenarios s, int n, String prefix) throws Exception {
        List<Future<RecordMetadata>> all = new ArrayList<>();
        for (int i = 0; i < n; i++) {
            all.add(p.send(new ProducerRecord<>(s.topic, (prefix + i).getBytes(UTF_8))));
        }
        for (Future<RecordMetadata> f : all) {
            f.get();
        }
    }

    static void numbered(Scenarios s, int n, String... more) throws Exception {
        try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap, more)) {
            send(p, s, n, "");
        }
    }

    static KafkaConsumer<byte[], byte[]> consumer(Scenarios s, String... more) {
        Properties p = properties(s.bootstrap, more);
        p.putIfAbsent("auto.offset.reset", "earliest");
        p.put("enable.auto.commit", "false");
        p.put("fetch.max.wait.ms", "100");
        return new KafkaConsumer<>(p, new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static List<ConsumerRecord<byte[], byte[]>> poll(KafkaConsumer<byte[], byte[]> c, int n) {
        List<ConsumerRecord<byte[], byte[]>> got = new ArrayList<>();
        for (long end = System.nanoTime() + 30_000_000_000L; got.size() < n && System.nanoTime() < end;) {
            c.poll(Duration.ofMillis(200)).forEach(got::add);
        }
        if (got.size() < n) {
            throw new AssertionError("read " + got.size() + " records of " + n);
        }
        return got;
    }

    /** Reads n records of the scenario's topic from an offset. */
    private static List<ConsumerRecord<byte[], byte[]>> read(Scenarios s, int n, long from) {
        try (KafkaConsumer<byte[], byte[]> c = consumer(s)) {
            c.assign(List.of(partition(s)));
            c.seek(partition(s), from);
            return poll(c, n);
        }
    }

    static TopicPartition partition(Scenarios s) {
        return new TopicPartition(s.topic, 0);
    }

    static String text(byte[] b) {
        return b == null ? "null" : '"' + new String(b, UTF_8) + '"';
    }

    private static void cluster(Scenarios s) throws Exception {
        try (Admin a = admin(s)) {
            var d = a.describeCluster();
            s.observe("brokers", d.nodes().get().size());
            s.observe("controller", d.controller().get().id());
            s.observe("authorized operations", String.valueOf(d.authorizedOperations().get()));
            var f = a.describeFeatures().featureMetadata().get();
            f.finalizedFeatures().forEach((k, v) -> s.observe("feature " + k, v.toString()));
            var q = a.describeMetadataQuorum().quorumInfo().get();
            s.observe("quorum", q.leaderId() + " " + q.voters().size() + " " + q.observers().size());
            s.observe("log dirs", a.describeLogDirs(List.of(1)).allDescriptions().get().get(1).size());
            s.observe("client metrics resources", a.listConfigResources(Set.of(ConfigResource.Type.CLIENT_METRICS), new org.apache.kafka.clients.admin.ListConfigResourcesOptions()).all().get().size());
        }
    }

    private static int partitions(Admin a, Scenarios s) throws Exception {
        try {
            return a.describeTopics(List.of(s.topic)).allTopicNames().get().get(s.topic).partitions().size();
        } catch (java.util.concurrent.ExecutionException e) {
            return 0; // not there yet
        }
    }

    private static void topics(Scenarios s) throws Exception {
        try (Admin a = admin(s)) {
            NewTopic t = new NewTopic(s.topic, 3, s.copies).configs(Map.of("retention.ms", "60000"));
            var made = a.createTopics(List.of(t));
            made.all().get();
            s.observe("made", made.numPartitions(s.topic).get() + " " + made.replicationFactor(s.topic).get() + " " + made.config(s.topic).get().get("retention.ms").value());
            s.observe("again", Scenarios.code(() -> a.createTopics(List.of(t)).all().get()));
            s.observe("no partitions", Scenarios.code(() -> a.createTopics(List.of(new NewTopic(s.topic + ".x", 0, (short) 1))).all().get()));
            s.observe("three copies", Scenarios.code(() -> a.createTopics(List.of(new NewTopic(s.topic + ".x", 1, (short) 3))).all().get()));
            s.observe("bad name", Scenarios.code(() -> a.createTopics(List.of(new NewTopic("not a name!", 1, (short) 1))).all().get()));
            s.observe("bad assignment", Scenarios.code(() -> a.createTopics(List.of(new NewTopic(s.topic + ".x", Map.of(0, List.of(7))))).all().get()));
            Scenarios.eventually("partitions", () -> partitions(a, s), 3);
            Scenarios.want("add partitions", Scenarios.code(() -> a.createPartitions(Map.of(s.topic, NewPartitions.increaseTo(5))).all().get()), 0);
            s.observe("fewer partitions", Scenarios.code(() -> a.createPartitions(Map.of(s.topic, NewPartitions.increaseTo(2))).all().get()));
            Scenarios.eventually("partitions", () -> partitions(a, s), 5);
            Scenarios.want("delete", Scenarios.code(() -> a.deleteTopics(List.of(s.topic)).all().get()), 0);
            s.observe("delete again", Scenarios.code(() -> a.deleteTopics(List.of(s.topic)).all().get()));
            Scenarios.eventually("describe after", () -> Scenarios.code(() -> a.describeTopics(List.of(s.topic)).allTopicNames().get()), 3);
        }
    }

    private static void configs(Scenarios s) throws Exception {
        create(s, 1, "cleanup.policy", "delete");
        ConfigResource r = new ConfigResource(ConfigResource.Type.TOPIC, s.topic);
        try (Admin a = admin(s)) {
            s.observe("default", describe(a, r, "retention.ms"));
            Scenarios.want("set", alter(a, r, AlterConfigOp.OpType.SET, "retention.ms", "123456"), 0);
            Scenarios.eventually("after set", () -> describe(a, r, "retention.ms"), "123456 DYNAMIC_TOPIC_CONFIG");
            s.observe("wrong value", alter(a, r, AlterConfigOp.OpType.SET, "retention.ms", "soon"));
            s.observe("unknown key", alter(a, r, AlterConfigOp.OpType.SET, "no.such.key", "1"));
            s.observe("append to no list", alter(a, r, AlterConfigOp.OpType.APPEND, "retention.ms", "1"));
            Scenarios.want("append", alter(a, r, AlterConfigOp.OpType.APPEND, "cleanup.policy", "compact"), 0);
            Scenarios.eventually("after append", () -> describe(a, r, "cleanup.policy"), "delete,compact DYNAMIC_TOPIC_CONFIG");
            Scenarios.want("delete", alter(a, r, AlterConfigOp.OpType.DELETE, "retention.ms", ""), 0);
            Scenarios.eventually("after delete", () -> describe(a, r, "retention.ms"), "604800000 DEFAULT_CONFIG");
            var options = new DescribeConfigsOptions().includeSynonyms(true).includeDocumentation(true);
            for (ConfigEntry e : a.describeConfigs(List.of(r), options).all().get().get(r).entries()) {
                s.observe("topic " + e.name(), e.type() + " " + e.isReadOnly() + " " + e.isSensitive() + " documented: " + !String.valueOf(e.documentation()).isEmpty());
            }
            ConfigResource b = new ConfigResource(ConfigResource.Type.BROKER, "1");
            for (ConfigEntry e : a.describeConfigs(List.of(b), options).all().get().get(b).entries()) {
                if (OF_THE_RUN.contains(e.name())) {
                    continue;
                }
                s.observe("broker " + e.name(), e.value() + " " + e.source() + " " + e.type() + " " + e.isReadOnly() + " " + e.isSensitive());
            }
        }
    }

    private static String describe(Admin a, ConfigResource r, String key) throws Exception {
        ConfigEntry e = a.describeConfigs(List.of(r)).all().get().get(r).get(key);
        return e.value() + " " + e.source();
    }

    private static int alter(Admin a, ConfigResource r, AlterConfigOp.OpType op, String key, String value) throws Exception {
        return Scenarios.code(() -> a.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry(key, value), op)))).all().get());
    }

    private static void acks(Scenarios s) throws Exception {
        create(s, 1);
        for (String acks : List.of("0", "1", "all")) {
            numbered(s, 30, "acks", acks, "enable.idempotence", "false");
            read(s, 30, 0); // what acks 0 sent may still be on its way
        }
        List<ConsumerRecord<byte[], byte[]>> got = read(s, 90, 0);
        for (int i = 0; i < 90; i++) {
            Scenarios.want("record", got.get(i).offset() + " " + text(got.get(i).value()), i + " \"" + i % 30 + '"');
        }
    }

    private static void codecs(Scenarios s) throws Exception {
        create(s, 1);
        String text = "the spool of thread ".repeat(20);
        List<String> list = List.of("none", "gzip", "snappy", "lz4", "zstd");
        for (String codec : list) {
            try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap, "compression.type", codec, "linger.ms", "20")) {
                send(p, s, 50, text);
            }
        }
        List<ConsumerRecord<byte[], byte[]>> got = read(s, 250, 0);
        for (int i = 0; i < 250; i++) {
            Scenarios.want("value", text(got.get(i).value()), '"' + text + i % 50 + '"');
        }
        s.observe("read back", list);
    }

    private static void headers(Scenarios s) throws Exception {
        create(s, 1);
        List<Header> hs = List.of(new RecordHeader("a", "1".getBytes(UTF_8)), new RecordHeader("a", "2".getBytes(UTF_8)),
            new RecordHeader("empty", new byte[0]), new RecordHeader("null", (byte[]) null), new RecordHeader("é", new byte[] {0, (byte) 255}));
        try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap)) {
            p.send(new ProducerRecord<>(s.topic, null, null, null, "v".getBytes(UTF_8), hs)).get();
        }
        List<String> got = new ArrayList<>();
        read(s, 1, 0).get(0).headers().forEach(h -> got.add(h.key() + "=" + Arrays.toString(h.value())));
        Scenarios.want("headers", got.size(), 5);
        s.observe("headers", got);
    }

    private static void nulls(Scenarios s) throws Exception {
        create(s, 1);
        byte[] k = "k".getBytes(UTF_8);
        byte[] v = "v".getBytes(UTF_8);
        byte[][][] pairs = {{null, null}, {k, null}, {null, v}, {{}, {}}, {k, v}};
        try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap)) {
            for (byte[][] pair : pairs) {
                p.send(new ProducerRecord<>(s.topic, pair[0], pair[1])).get();
            }
        }
        List<ConsumerRecord<byte[], byte[]>> got = read(s, pairs.length, 0);
        List<String> seen = new ArrayList<>();
        for (int i = 0; i < pairs.length; i++) {
            Scenarios.want("record", text(got.get(i).key()) + text(got.get(i).value()), text(pairs[i][0]) + text(pairs[i][1]));
            seen.add(text(got.get(i).key()) + " " + text(got.get(i).value()));
        }
        s.observe("records", seen);
    }

    private static void big(Scenarios s) throws Exception {
        create(s, 1);
        byte[] ok = new byte[1_000_000];
        for (int i = 0; i < ok.length; i++) {
            ok[i] = (byte) (i * 7);
        }
        try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap, "max.request.size", "8000000")) {
            p.send(new ProducerRecord<>(s.topic, ok)).get();
            Scenarios.want("code of 2 MiB", Scenarios.code(() -> p.send(new ProducerRecord<>(s.topic, new byte[2 << 20])).get()), 10);
        }
        Scenarios.want("same bytes", Arrays.equals(read(s, 1, 0).get(0).value(), ok), true);
    }

    private static void idempotent(Scenarios s) throws Exception {
        create(s, 1);
        try (KafkaProducer<byte[], byte[]> p = producer(s.flaky, "enable.idempotence", "true", "batch.size", "200",
            "retry.backoff.ms", "20", "reconnect.backoff.ms", "10", "reconnect.backoff.max.ms", "50")) {
            send(p, s, 1000, "");
        }
        List<ConsumerRecord<byte[], byte[]>> got = read(s, 1000, 0);
        for (int i = 0; i < 1000; i++) {
            Scenarios.want("record", got.get(i).offset() + " " + text(got.get(i).value()), i + " \"" + i + '"');
        }
        try (Admin a = admin(s)) {
            Scenarios.want("end", a.listOffsets(Map.of(partition(s), OffsetSpec.latest())).all().get().get(partition(s)).offset(), 1000);
            s.observe("producers", a.describeProducers(List.of(partition(s))).all().get().get(partition(s)).activeProducers().stream()
                .map(x -> "epoch " + x.producerEpoch() + " last sequence " + x.lastSequence()).toList());
        }
    }

    private static void positions(Scenarios s) throws Exception {
        create(s, 1, "retention.ms", "-1");
        TopicPartition tp = partition(s);
        try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap, "batch.size", "500")) {
            for (int i = 0; i < 100; i++) {
                p.send(new ProducerRecord<>(s.topic, 0, EPOCH + i * 1000L, null, ("" + i).getBytes(UTF_8)));
            }
        }
        try (KafkaConsumer<byte[], byte[]> c = consumer(s); Admin a = admin(s)) {
            c.assign(List.of(tp));
            c.seekToBeginning(List.of(tp));
            Scenarios.want("from start", poll(c, 1).get(0).offset(), 0);
            c.seek(tp, 40);
            Scenarios.want("from offset", poll(c, 1).get(0).offset(), 40);
            Map<TopicPartition, OffsetAndTimestamp> at = c.offsetsForTimes(Map.of(tp, EPOCH + 60_500));
            s.observe("offset for a time", at.get(tp).offset() + " " + at.get(tp).timestamp() + " " + at.get(tp).leaderEpoch());
            c.seek(tp, at.get(tp).offset());
            Scenarios.want("from timestamp", poll(c, 1).get(0).offset(), 61);
            s.observe("after the last", String.valueOf(c.offsetsForTimes(Map.of(tp, EPOCH + 1_000_000)).get(tp)));
            Map<String, OffsetSpec> specs = Map.of("max timestamp", OffsetSpec.maxTimestamp(), "earliest local", OffsetSpec.earliestLocal(), "latest tiered", OffsetSpec.latestTiered(), "latest", OffsetSpec.latest());
            for (Map.Entry<String, OffsetSpec> e : new TreeMap<>(specs).entrySet()) {
                s.observe("offset of " + e.getKey(), String.valueOf(a.listOffsets(Map.of(tp, e.getValue())).all().get().get(tp)));
            }
            c.seekToEnd(List.of(tp));
            Scenarios.want("position at the end", c.position(tp), 100);
            numbered(s, 1);
            Scenarios.want("from end", poll(c, 1).get(0).offset(), 100);
            c.seek(tp, 5000);
            Scenarios.want("beyond the end, reset to the earliest", poll(c, 1).get(0).offset(), 0);
        }
    }

    /** A consumer of the scenario's group that polls until it is stopped. */
    static final class Member extends Thread {
        final KafkaConsumer<byte[], byte[]> consumer;
        private final AtomicBoolean stopping = new AtomicBoolean();

        Member(Scenarios s, String... more) {
            this(consumer(s, all(s, more)), c -> c.subscribe(List.of(s.topic)));
        }

        Member(KafkaConsumer<byte[], byte[]> consumer, java.util.function.Consumer<KafkaConsumer<byte[], byte[]>> subscribe) {
            this.consumer = consumer;
            subscribe.accept(consumer);
            setDaemon(true);
            start();
        }

        private static String[] all(Scenarios s, String... more) {
            List<String> all = new ArrayList<>(List.of("group.id", s.topic, "heartbeat.interval.ms", "200", "session.timeout.ms", "6000"));
            all.addAll(List.of(more));
            return all.toArray(String[]::new);
        }

        @Override
        public void run() {
            try (consumer) {
                while (!stopping.get()) {
                    consumer.poll(Duration.ofMillis(100));
                }
            } catch (WakeupException e) {
                // the member leaves
            }
        }

        void leave() throws Exception {
            stopping.set(true);
            consumer.wakeup();
            join();
        }
    }

    static ConsumerGroupDescription await(Admin a, Scenarios s, String want) throws Exception {
        ConsumerGroupDescription g = null;
        for (long end = System.nanoTime() + 30_000_000_000L; System.nanoTime() < end; Thread.sleep(50)) {
            try {
                g = a.describeConsumerGroups(List.of(s.topic)).all().get().get(s.topic);
            } catch (java.util.concurrent.ExecutionException e) {
                continue; // not there yet
            }
            List<Integer> counts = g.members().stream().map(m -> m.assignment().topicPartitions().size()).sorted().toList();
            if (g.groupState() == GroupState.STABLE && counts.toString().equals(want)) {
                return g;
            }
        }
        throw new AssertionError("want " + want + ", have " + g);
    }

    private static void group(Scenarios s) throws Exception {
        create(s, 4);
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            String[] how = {"partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor};
            Member one = new Member(s, how);
            Member two = new Member(s, how);
            try (Admin a = admin(s)) {
                var g = await(a, s, "[2, 2]");
                s.observe(assignor, g.partitionAssignor() + " " + g.type() + " " + g.isSimpleConsumerGroup() + " " + g.authorizedOperations());
                two.leave();
                await(a, s, "[4]");
                two = new Member(s, how);
                await(a, s, "[2, 2]");
                one.leave();
                two.leave();
                s.observe(assignor + " at the end", a.describeConsumerGroups(List.of(s.topic)).all().get().get(s.topic).groupState().toString());
            }
        }
    }

    private static void staticMember(Scenarios s) throws Exception {
        create(s, 4);
        Member one = new Member(s, "group.instance.id", "one");
        Member two = new Member(s, "group.instance.id", "two");
        try (Admin a = admin(s)) {
            var before = await(a, s, "[2, 2]");
            two.leave(); // a static member does not tell the group
            Scenarios.want("members while one is away", await(a, s, "[2, 2]").members().size(), 2);
            two = new Member(s, "group.instance.id", "two");
            String id = find(before, "two");
            String again = id;
            for (long end = System.nanoTime() + 20_000_000_000L; again.equals(id) && System.nanoTime() < end;) {
                again = find(await(a, s, "[2, 2]"), "two");
            }
            Scenarios.want("same partitions", again.replaceAll(".* ", ""), id.replaceAll(".* ", ""));
            Scenarios.want("the member id is new", !again.equals(id), true);
            one.leave();
            two.leave();
            a.removeMembersFromConsumerGroup(s.topic, new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("one"), new MemberToRemove("two")))).all().get();
            s.observe("removing a stranger", Scenarios.code(() -> a.removeMembersFromConsumerGroup(s.topic,
                new RemoveMembersFromConsumerGroupOptions(List.of(new MemberToRemove("three")))).all().get()));
            s.observe("state at the end", a.describeConsumerGroups(List.of(s.topic)).all().get().get(s.topic).groupState().toString());
        }
    }

    static String find(ConsumerGroupDescription g, String instance) {
        return g.members().stream().filter(m -> m.groupInstanceId().equals(Optional.of(instance)))
            .map(m -> m.consumerId() + " " + m.assignment().topicPartitions().stream().map(TopicPartition::partition).sorted().map(String::valueOf).toList().toString().replace(" ", ""))
            .findFirst().orElse("");
    }

    private static void commit(Scenarios s) throws Exception {
        create(s, 1);
        numbered(s, 50);
        TopicPartition tp = partition(s);
        String[] how = {"group.id", s.topic, "max.poll.records", "10"};
        try (KafkaConsumer<byte[], byte[]> c = consumer(s, how)) {
            c.subscribe(List.of(s.topic));
            Scenarios.want("first", poll(c, 10).get(0).offset(), 0);
            c.commitSync(Map.of(tp, new OffsetAndMetadata(10, Optional.of(0), "a note")));
        }
        try (KafkaConsumer<byte[], byte[]> c = consumer(s, how); Admin a = admin(s)) {
            c.subscribe(List.of(s.topic));
            Scenarios.want("after commit", poll(c, 1).get(0).offset(), 10);
            c.seek(tp, 5);
            Scenarios.want("after seek", poll(c, 1).get(0).offset(), 5);
            s.observe("committed", String.valueOf(a.listConsumerGroupOffsets(s.topic).partitionsToOffsetAndMetadata().get().get(tp)));
            s.observe("alter offsets of a live group", Scenarios.code(() -> a.alterConsumerGroupOffsets(s.topic, Map.of(tp, new OffsetAndMetadata(3))).all().get()));
            s.observe("delete a live group", Scenarios.code(() -> a.deleteConsumerGroups(List.of(s.topic)).all().get()));
            s.observe("delete offsets that a member reads", Scenarios.code(() -> a.deleteConsumerGroupOffsets(s.topic, Set.of(tp)).all().get()));
        }
        try (Admin a = admin(s)) {
            Scenarios.want("alter offsets", Scenarios.code(() -> a.alterConsumerGroupOffsets(s.topic, Map.of(tp, new OffsetAndMetadata(3))).all().get()), 0);
            Collection<String> listed = a.listGroups().all().get().stream().filter(g -> g.groupId().equals(s.topic)).map(g -> g.type() + " " + g.protocol() + " " + g.groupState()).toList();
            s.observe("listed", listed);
            Scenarios.want("delete", Scenarios.code(() -> a.deleteConsumerGroups(List.of(s.topic)).all().get()), 0);
            s.observe("delete again", Scenarios.code(() -> a.deleteConsumerGroups(List.of(s.topic)).all().get()));
            s.observe("describe after", Scenarios.code(() -> a.describeConsumerGroups(List.of(s.topic)).all().get()));
        }
    }

    private static void trim(Scenarios s) throws Exception {
        create(s, 1);
        numbered(s, 100);
        TopicPartition tp = partition(s);
        try (Admin a = admin(s)) {
            Scenarios.want("low watermark", a.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(30))).lowWatermarks().get(tp).get().lowWatermark(), 30);
            Scenarios.want("start", a.listOffsets(Map.of(tp, OffsetSpec.earliest())).all().get().get(tp).offset(), 30);
            s.observe("beyond the end", Scenarios.code(() -> a.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(1000))).all().get()));
            Scenarios.want("read before the start, reset to the earliest", read(s, 1, 10).get(0).offset(), 30);
            Scenarios.want("all", a.deleteRecords(Map.of(tp, RecordsToDelete.beforeOffset(-1))).lowWatermarks().get(tp).get().lowWatermark(), 100);
        }
    }

    private static void compact(Scenarios s) throws Exception {
        create(s, 1, "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01", "delete.retention.ms", "100");
        try (KafkaProducer<byte[], byte[]> p = producer(s.bootstrap)) {
            for (int i = 0; i < 40; i++) {
                p.send(new ProducerRecord<>(s.topic, ("k" + i % 4).getBytes(UTF_8), ("" + i).getBytes(UTF_8))).get();
            }
            p.send(new ProducerRecord<>(s.topic, "k3".getBytes(UTF_8), null)).get();
            while (true) {
                Thread.sleep(300); // the next record rolls the segment: by then its time has passed
                long last = p.send(new ProducerRecord<>(s.topic, "tick".getBytes(UTF_8), "x".getBytes(UTF_8))).get().offset();
                Map<String, String> kept = new TreeMap<>();
                int n = 0;
                for (long next = 0; next <= last; n++) {
                    for (ConsumerRecord<byte[], byte[]> r : read(s, 1, next)) {
                        if (r.offset() < next) {
                            throw new AssertionError("offset " + r.offset() + " before " + next);
                        }
                        kept.put(text(r.key()), text(r.value()));
                        next = r.offset() + 1;
                    }
                }
                Scenarios.want("kept", kept.get("\"k0\"") + kept.get("\"k1\"") + kept.get("\"k2\""), "\"36\"\"37\"\"38\"");
                if (n < 10 && !kept.containsKey("\"k3\"")) {
                    s.observe("the tombstone went", true);
                    return;
                }
            }
        }
    }
}

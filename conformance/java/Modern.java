import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.ConsumerGroupDescription;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.SubscriptionPattern;
import org.apache.kafka.common.GroupState;
import org.apache.kafka.common.config.ConfigResource;

/** The scenarios of groups whose partitions the server assigns (KIP-848). */
final class Modern {
    private Modern() {}

    static void into(Map<String, Scenarios.Body> bodies) {
        bodies.put("consumer", Modern::consumer);
        bodies.put("instance", Modern::instance);
        bodies.put("pattern", Modern::pattern);
        bodies.put("migration", Modern::migration);
    }

    private static KafkaConsumer<byte[], byte[]> make(Scenarios s, String... more) {
        List<String> all = new ArrayList<>(List.of("group.id", s.topic, "group.protocol", "consumer"));
        all.addAll(List.of(more));
        return Clients.consumer(s, all.toArray(String[]::new));
    }

    private static Clients.Member join(Scenarios s, String... more) {
        return new Clients.Member(make(s, more), c -> c.subscribe(List.of(s.topic)));
    }

    /** Waits until the members have as many partitions as is wanted, in a stable group. */
    private static ConsumerGroupDescription await(Admin a, Scenarios s, String want) throws Exception {
        return Clients.await(a, s, want);
    }

    static String kind(Admin a, Scenarios s) throws Exception {
        return a.listGroups().all().get().stream().filter(g -> g.groupId().equals(s.topic))
            .map(g -> (g.type().map(String::valueOf).orElse("") + " " + g.protocol() + " " + g.groupState().map(String::valueOf).orElse("")).toLowerCase(java.util.Locale.ROOT))
            .findFirst().orElse("none");
    }

    private static void consumer(Scenarios s) throws Exception {
        Clients.create(s, 4);
        Clients.Member one = join(s);
        Clients.Member two = join(s);
        try (Admin a = Clients.admin(s)) {
            var g = await(a, s, "[2, 2]");
            s.observe("described", g.partitionAssignor() + " " + g.type() + " " + g.isSimpleConsumerGroup() + " " + g.authorizedOperations());
            s.observe("epochs agree", g.groupEpoch().equals(g.targetAssignmentEpoch()));
            s.observe("members", g.members().stream().map(m -> m.upgraded() + " " + m.memberEpoch().equals(g.groupEpoch()) + " " + m.targetAssignment().map(x -> x.equals(m.assignment()))).toList());
            s.observe("kind", kind(a, s));
            two.leave();
            await(a, s, "[4]");
            two = join(s, "group.remote.assignor", "range");
            s.observe("assignor of a vote", await(a, s, "[2, 2]").partitionAssignor());
            s.observe("an unknown assignor", refused(() -> make(s, "group.remote.assignor", "lots"), s));
            a.createPartitions(Map.of(s.topic, NewPartitions.increaseTo(6))).all().get();
            await(a, s, "[3, 3]");
            ConfigResource r = new ConfigResource(ConfigResource.Type.GROUP, s.topic);
            s.observe("heartbeat of the group", set(a, r, "consumer.heartbeat.interval.ms", "300"));
            s.observe("too short a heartbeat", set(a, r, "consumer.heartbeat.interval.ms", "10"));
            s.observe("too long a session", set(a, r, "consumer.session.timeout.ms", "90000000"));
            s.observe("delete a live group", Scenarios.code(() -> a.deleteConsumerGroups(List.of(s.topic)).all().get()));
            one.leave();
            two.leave();
            Scenarios.eventually("at the end", () -> kind(a, s), "consumer consumer empty");
            a.deleteConsumerGroups(List.of(s.topic)).all().get();
            Scenarios.want("deleted", kind(a, s), "none");
            s.observe("describe after", Scenarios.code(() -> a.describeConsumerGroups(List.of(s.topic)).all().get()));
        }
    }

    static int set(Admin a, ConfigResource r, String key, String value) throws Exception {
        return Scenarios.code(() -> a.incrementalAlterConfigs(Map.of(r, List.of(new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET)))).all().get());
    }

    /** The error that a consumer's first polls end with. */
    private static String refused(java.util.function.Supplier<KafkaConsumer<byte[], byte[]>> make, Scenarios s) {
        try (KafkaConsumer<byte[], byte[]> c = make.get()) {
            c.subscribe(List.of(s.topic));
            Clients.poll(c, 1);
            return "none";
        } catch (org.apache.kafka.common.KafkaException e) {
            return e.getClass().getSimpleName();
        }
    }

    private static void instance(Scenarios s) throws Exception {
        Clients.create(s, 4);
        Clients.Member one = join(s, "group.instance.id", "one");
        Clients.Member two = join(s, "group.instance.id", "two");
        try (Admin a = Clients.admin(s)) {
            var before = await(a, s, "[2, 2]");
            two.leave(); // a static member goes for a while only
            s.observe("epoch of one that is away", a.describeConsumerGroups(List.of(s.topic)).all().get().get(s.topic).members().stream()
                .filter(m -> m.groupInstanceId().equals(Optional.of("two"))).map(m -> String.valueOf(m.memberEpoch())).toList());
            two = join(s, "group.instance.id", "two");
            String id = Clients.find(before, "two");
            String again = id;
            ConsumerGroupDescription after = before;
            for (long end = System.nanoTime() + 20_000_000_000L; again.equals(id) && System.nanoTime() < end;) {
                again = Clients.find(after = await(a, s, "[2, 2]"), "two");
            }
            Scenarios.want("same partitions", again.replaceAll(".* ", ""), id.replaceAll(".* ", ""));
            Scenarios.want("the member id is new", !again.equals(id), true);
            Scenarios.want("nobody rebalanced", after.targetAssignmentEpoch(), before.targetAssignmentEpoch());
            Clients.Member first = two;
            s.observe("the instance is taken", refused(() -> make(s, "group.instance.id", "two"), s));
            one.leave();
            first.leave();
        }
    }

    private static void pattern(Scenarios s) throws Exception {
        Clients.create(s, 2);
        try (Admin a = Clients.admin(s)) {
            a.createTopics(List.of(new NewTopic(s.topic + ".more", 3, s.copies), new NewTopic(s.topic + ".99", 3, s.copies))).all().get();
            Scenarios.eventually("listed", () -> a.listTopics().names().get().contains(s.topic + ".99"), true);
            String regex = "^" + s.topic.replace(".", "\\.") + "(\\.[a-z]+)?$";
            Clients.Member m = new Clients.Member(make(s), c -> c.subscribe(new SubscriptionPattern(regex)));
            await(a, s, "[5]");
            m.leave();
        }
        try (KafkaConsumer<byte[], byte[]> c = make(s)) {
            c.subscribe(new SubscriptionPattern("(?<!x)y"));
            Clients.poll(c, 1);
            s.observe("a bad pattern", "none");
        } catch (org.apache.kafka.common.KafkaException e) {
            s.observe("a bad pattern", e.getClass().getSimpleName());
        }
    }

    /** Takes a group that runs from the classic protocol to the new one and back. */
    private static void migration(Scenarios s) throws Exception {
        Clients.create(s, 4);
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            String[] old = {"partition.assignment.strategy", "org.apache.kafka.clients.consumer." + assignor};
            Clients.Member one = new Clients.Member(s, old);
            Clients.Member two = new Clients.Member(s, old);
            try (Admin a = Clients.admin(s)) {
                await(a, s, "[2, 2]");
                Scenarios.want("at first", kind(a, s), "classic consumer stable");
                Clients.Member three = join(s);
                var g = await(a, s, "[1, 1, 2]");
                s.observe("mixed, " + assignor, g.partitionAssignor() + " " + kind(a, s) + " " + g.members().stream().map(m -> String.valueOf(m.upgraded())).sorted().toList());
                one.leave();
                await(a, s, "[2, 2]");
                two.leave();
                await(a, s, "[4]");
                one = new Clients.Member(s, old);
                await(a, s, "[2, 2]");
                Scenarios.want("with an old one again", kind(a, s), "consumer consumer stable");
                three.leave();
                await(a, s, "[4]");
                Scenarios.eventually("in the end", () -> kind(a, s), "classic consumer stable");
                one.leave();
                Scenarios.want("empty", a.describeConsumerGroups(List.of(s.topic)).all().get().get(s.topic).groupState(), GroupState.EMPTY);
            }
        }
    }
}

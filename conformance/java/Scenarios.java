import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.PrintStream;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.protocol.Errors;

/** What the Java programs of the matrix share: the command line and the line of JSON. */
final class Scenarios {
    interface Body {
        void run(Scenarios s) throws Exception;
    }

    /** Ends a scenario that this client cannot do. */
    static final class Skip extends RuntimeException {
        Skip(String reason) {
            super(reason);
        }
    }

    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int LIMIT_SECONDS = 60;

    final short copies;
    final String bootstrap;
    final String flaky;
    final String topic;
    private final Map<String, Object> observed = new LinkedHashMap<>();
    private String note;

    private Scenarios(String bootstrap, String flaky, short copies, String topic) {
        this.copies = copies;
        this.bootstrap = bootstrap;
        this.flaky = flaky;
        this.topic = topic;
    }

    /** Notes what can be compared between peers. */
    void observe(String key, Object value) {
        observed.put(key, value);
    }

    void note(String text) {
        note = text;
    }

    static void want(String what, Object got, Object want) {
        if (!Objects.equals(String.valueOf(got), String.valueOf(want))) {
            throw new AssertionError(what + ": got " + got + ", want " + want);
        }
    }

    interface Get {
        Object get() throws Exception;
    }

    /** Waits until get prints as want: Kafka answers a change before every part of it has learnt of it. */
    static void eventually(String what, Get get, Object want) throws Exception {
        for (long end = System.nanoTime() + 10_000_000_000L; System.nanoTime() < end; Thread.sleep(20)) {
            if (String.valueOf(get.get()).equals(String.valueOf(want))) {
                return;
            }
        }
        want(what, get.get(), want);
    }

    interface Call {
        void run() throws Exception;
    }

    /** The number of the Kafka error that a call ends with, 0 for none. */
    static int code(Call call) throws Exception {
        try {
            call.run();
            return 0;
        } catch (ExecutionException e) {
            return Errors.forException(e.getCause()).code();
        } catch (ApiException e) {
            return Errors.forException(e).code();
        }
    }

    static void main(String client, Map<String, Body> bodies, String[] args) throws Exception {
        PrintStream out = System.out;
        Map<String, String> flags = new LinkedHashMap<>();
        List<String> names = new ArrayList<>();
        for (int i = 0; i < args.length; i++) {
            if (args[i].startsWith("--")) {
                flags.put(args[i], args[++i]);
            } else {
                names.add(args[i]);
            }
        }
        ExecutorService pool = Executors.newCachedThreadPool(r -> {
            Thread t = new Thread(r, "scenario");
            t.setDaemon(true);
            return t;
        });
        for (String name : names.isEmpty() ? bodies.keySet() : names) {
            Scenarios s = new Scenarios(flags.get("--bootstrap"), flags.get("--flaky"),
                Short.parseShort(flags.getOrDefault("--copies", "1")), client.replace(' ', '-') + "." + name + flags.getOrDefault("--suffix", ""));
            Map<String, Object> line = new LinkedHashMap<>();
            line.put("client", client);
            line.put("scenario", name);
            long began = System.nanoTime();
            s.run(bodies.get(name), line, pool);
            line.put("millis", (System.nanoTime() - began) / 1_000_000);
            line.put("observed", s.observed);
            out.println(JSON.writeValueAsString(line));
            out.flush();
        }
        Runtime.getRuntime().halt(0);
    }

    private void run(Body body, Map<String, Object> line, ExecutorService pool) throws Exception {
        String status = "ok";
        String reason = null;
        try {
            if (body == null) {
                throw new Skip("the client has no call for it");
            }
            pool.submit(() -> {
                body.run(this);
                return null;
            }).get(LIMIT_SECONDS, TimeUnit.SECONDS);
            reason = note;
        } catch (Skip e) {
            status = "skip";
            reason = e.getMessage();
        } catch (TimeoutException e) {
            status = "fail";
            reason = "did not end within its time";
        } catch (ExecutionException e) {
            status = e.getCause() instanceof Skip ? "skip" : "fail";
            reason = e.getCause() instanceof Skip ? e.getCause().getMessage() : String.valueOf(e.getCause());
        }
        line.put("status", status);
        if (reason != null) {
            line.put("reason", reason);
        }
    }
}

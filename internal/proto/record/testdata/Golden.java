// Makes the golden files in the testdata of record, compaction and producers with Apache
// Kafka's own classes, and prints what Kafka reads in batches and snapshots made here. Run
// it with the jars of kafka-clients, kafka-storage, kafka-server-common and what they need:
//
//	java -cp 'jars/*' Golden.java make DIR
//	java -cp 'jars/*' Golden.java read FILE...
import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.*;
import org.apache.kafka.common.compress.Compression;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.record.Record;
import org.apache.kafka.common.utils.BufferSupplier;
import org.apache.kafka.storage.internals.log.*;

public class Golden {
    static byte[] utf8(String s) { return s.getBytes(StandardCharsets.UTF_8); }

    public static void main(String[] args) throws Exception {
        if (args[0].equals("make")) make(Path.of(args[1]));
        else for (int i = 1; i < args.length; i++) read(args[i]);
    }

    static void make(Path dir) throws Exception {
        for (CompressionType type : CompressionType.values())
            write(dir.resolve("kafka-" + type.name + ".batch"), plain(Compression.of(type).build()).buffer());
        write(dir.resolve("kafka-commit.batch"), MemoryRecords.withEndTransactionMarker(42, 1700000000123L, 7, 9, (short) 2,
            new EndTransactionMarker(ControlRecordType.COMMIT, 3)).buffer());
        tombstones(dir);
        snapshot(dir.resolve("kafka.snapshot").toFile());
    }

    static MemoryRecords plain(Compression c) {
        MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(64 << 10), RecordBatch.MAGIC_VALUE_V2, c,
            TimestampType.CREATE_TIME, 42, RecordBatch.NO_TIMESTAMP, 9, (short) 2, 5, true, 7);
        b.append(1700000000123L, utf8("k"), utf8("v"));
        b.append(1700000000100L, null, utf8("odradek ".repeat(40)));
        b.append(1700000009999L, utf8(""), null);
        b.append(1700000000123L, utf8("h"), utf8(""), new Header[] {
            new RecordHeader("a", utf8("1")), new RecordHeader("", (byte[]) null), new RecordHeader("c", utf8(""))});
        return b.build();
    }

    // What one cleaning leaves of a=1 b a=2 when a=1 is old, and of a batch that is old.
    static void tombstones(Path dir) throws Exception {
        MemoryRecordsBuilder b = MemoryRecords.builder(ByteBuffer.allocate(4096), RecordBatch.MAGIC_VALUE_V2, Compression.NONE,
            TimestampType.CREATE_TIME, 10, RecordBatch.NO_TIMESTAMP, 9, (short) 2, 5, false, 7);
        b.append(1000, utf8("a"), utf8("1"));
        b.append(1001, utf8("b"), null);
        b.append(1002, utf8("a"), utf8("2"));
        MemoryRecords in = b.build();
        write(dir.resolve("kafka-dirty.batch"), in.buffer());
        write(dir.resolve("kafka-cleaned.batch"), filter(in, false));
        write(dir.resolve("kafka-emptied.batch"), filter(in, true));
    }

    static ByteBuffer filter(MemoryRecords in, boolean all) {
        ByteBuffer out = ByteBuffer.allocate(4096);
        in.filterTo(new MemoryRecords.RecordFilter(5000, 86400000) {
            protected BatchRetentionResult checkBatchRetention(RecordBatch batch) {
                return new BatchRetentionResult(BatchRetention.RETAIN_EMPTY, false);
            }
            protected boolean shouldRetainRecord(RecordBatch batch, Record record) {
                return !all && record.offset() != 10;
            }
        }, out, BufferSupplier.NO_CACHING);
        out.flip();
        return out;
    }

    static void snapshot(File file) throws Exception {
        Map<Long, ProducerStateEntry> entries = new TreeMap<>();
        entries.put(5L, new ProducerStateEntry(5, (short) 2, -1, 1100, OptionalLong.of(100), Optional.of(new BatchMetadata(9, 102, 2, 1100))));
        entries.put(6L, new ProducerStateEntry(6, (short) 1, 4, 1103, OptionalLong.empty(), Optional.empty()));
        file.delete();
        ProducerStateManager.writeSnapshot(file, entries, false);
    }

    static void write(Path file, ByteBuffer b) throws Exception {
        byte[] bytes = new byte[b.remaining()];
        b.duplicate().get(bytes);
        Files.write(file, bytes);
    }

    static void read(String file) throws Exception {
        if (file.endsWith(".snapshot")) {
            for (ProducerStateEntry e : ProducerStateManager.readSnapshot(new File(file))) System.out.println(e);
            return;
        }
        for (MutableRecordBatch batch : MemoryRecords.readableRecords(ByteBuffer.wrap(Files.readAllBytes(Path.of(file)))).batches()) {
            batch.ensureValid();
            System.out.println(batch + " horizon=" + batch.deleteHorizonMs());
            for (Record r : batch) {
                if (batch.isControlBatch()) {
                    EndTransactionMarker m = EndTransactionMarker.deserialize(r);
                    System.out.println("  " + r.offset() + " " + m.controlType() + " " + m.coordinatorEpoch());
                    continue;
                }
                System.out.print("  " + r.offset() + " " + r.timestamp() + " " + text(r.key()) + " " + text(r.value()));
                for (Header h : r.headers()) System.out.print(" " + h.key() + ":" + text(h.value() == null ? null : ByteBuffer.wrap(h.value())));
                System.out.println();
            }
        }
    }

    static String text(ByteBuffer b) { return b == null ? "null" : "'" + StandardCharsets.UTF_8.decode(b.duplicate()) + "'"; }
}

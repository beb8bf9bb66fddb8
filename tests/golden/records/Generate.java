// Makes the golden files named *-java-* in the working folder; needs kafka-clients and the codecs on the class path.
import java.io.*;
import java.nio.ByteBuffer;
import java.nio.file.*;
import java.util.*;
import org.apache.kafka.common.compress.*;
import org.apache.kafka.common.record.*;
import org.apache.kafka.common.header.*;
import org.apache.kafka.common.header.internals.*;
import org.apache.kafka.common.utils.*;
public class Generate {
  static byte[] text(int n) {
    String w = "the quick brown fox jumps over the lazy dog 0123456789 ";
    byte[] b = new byte[n];
    for (int i = 0; i < n; i++) b[i] = (byte) (w.charAt(i % w.length()) + (i / 977) % 3);
    return b;
  }
  static void save(String name, ByteBuffer b) throws Exception {
    byte[] x = new byte[b.remaining()];
    b.duplicate().get(x);
    save(name, x);
  }
  static void save(String name, byte[] x) throws Exception {
    StringBuilder s = new StringBuilder();
    for (int i = 0; i < x.length; i++) {
      s.append(String.format("%02x", x[i]));
      if (i % 60 == 59)
        s.append('\n');
    }
    if (s.length() == 0 || s.charAt(s.length() - 1) != '\n')
      s.append('\n');
    Files.writeString(Path.of(name + ".hex"), s.toString());
    System.out.println(name + " " + x.length);
  }
  static Compression of(CompressionType t) {
    return Compression.of(t).build();
  }
  static MemoryRecords batch(
      CompressionType t, TimestampType tt, long pid, short ep, int seq, boolean txn, int n, int vs) {
    ByteBuffer buf = ByteBuffer.allocate(1 << 20);
    MemoryRecordsBuilder b = new MemoryRecordsBuilder(buf, RecordBatch.MAGIC_VALUE_V2, of(t), tt, 500L,
        1700000005000L, pid, ep, seq, txn, false, 7, buf.capacity());
    for (int i = 0; i < n; i++) {
      byte[] k = i % 3 == 1 ? null : ("key-" + i).getBytes();
      byte[] v =
          i % 5 == 4 ? null : (vs > 0 ? Arrays.copyOfRange(text(vs + i), 0, vs) : ("value-" + i).getBytes());
      Header[] h = i % 2 == 0 ? new Header[] {new RecordHeader("trace", ("value-" + i).getBytes()),
                                    new RecordHeader("trace", (byte[]) null)}
                              : new Header[0];
      b.append(1700000000000L + i * 37, k, v, h);
    }
    return b.build();
  }
  public static void main(String[] a) throws Exception {
    for (CompressionType t : CompressionType.values()) {
      save("batch-java-" + t.name,
          batch(t, TimestampType.CREATE_TIME, 4711L, (short) 3, 2147483645, true, 8, 0).buffer());
      save("batch-java-" + t.name + "-large",
          batch(t, TimestampType.CREATE_TIME, -1L, (short) -1, -1, false, 40,
              t == CompressionType.NONE ? 30 : 5000)
              .buffer());
      if (t != CompressionType.NONE) {
        ByteBufferOutputStream o = new ByteBufferOutputStream(1 << 20);
        try (OutputStream s = of(t).wrapForOutput(o, RecordBatch.MAGIC_VALUE_V2)) {
          s.write(text(150000));
        }
        ByteBuffer bb = o.buffer();
        bb.flip();
        save("block-java-" + t.name, bb);
      }
    }
    save("batch-java-append-time",
        batch(CompressionType.NONE, TimestampType.LOG_APPEND_TIME, -1L, (short) -1, -1, false, 2, 0)
            .buffer());
    save("marker-java-commit",
        MemoryRecords
            .withEndTransactionMarker(
                1700000000123L, 42L, (short) 7, new EndTransactionMarker(ControlRecordType.COMMIT, 3))
            .buffer());
    save("marker-java-abort",
        MemoryRecords
            .withEndTransactionMarker(
                1700000000123L, 42L, (short) 7, new EndTransactionMarker(ControlRecordType.ABORT, 3))
            .buffer());
    ByteBuffer e = ByteBuffer.allocate(61);
    DefaultRecordBatch.writeEmptyHeader(e, (byte) 2, 42L, (short) 7, 11, 100L, 109L, 5,
        TimestampType.CREATE_TIME, 1700000000123L, true, false);
    e.flip();
    save("batch-java-empty", e);
  }
}

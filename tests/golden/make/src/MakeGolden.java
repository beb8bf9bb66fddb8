// Makes tests/golden: for every message that src/wire/schema names and every version that both it and the Java
// classes have, two examples (all fields set and not default; null or empty wherever possible), encoded by Kafka's own
// generated code, with the JSON that its own converter prints. Deterministic: a run without change changes no file.
// Usage: MakeGolden SCHEMA-FOLDER OUTPUT-FOLDER. Prints what the Java classes do not have.

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.lang.reflect.ParameterizedType;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.kafka.common.Uuid;
import org.apache.kafka.common.protocol.ByteBufferAccessor;
import org.apache.kafka.common.protocol.Message;
import org.apache.kafka.common.protocol.ObjectSerializationCache;
import org.apache.kafka.common.protocol.types.BoundField;
import org.apache.kafka.common.protocol.types.Schema;
import org.apache.kafka.common.protocol.types.TaggedFields;
import org.apache.kafka.common.protocol.types.Type;
import org.apache.kafka.common.record.internal.BaseRecords;
import org.apache.kafka.common.record.internal.MemoryRecords;
import org.apache.kafka.common.utils.internals.ImplicitLinkedHashMultiCollection;

public final class MakeGolden {
    private static final String[] PACKAGES = {
        "org.apache.kafka.common.message.",
        "org.apache.kafka.common.metadata.",
        "org.apache.kafka.coordinator.group.generated.",
        "org.apache.kafka.coordinator.transaction.generated.",
        "org.apache.kafka.coordinator.share.generated.",
    };
    private static final Pattern API = Pattern.compile("api \\d+ (\\w+)");
    private static final Pattern RECORD = Pattern.compile("(?:data|key|value|record) (\\w+) .*versions.*");
    private static final Pattern VERSIONS = Pattern.compile(".*versions (\\d+)(?:-(\\d+))?.*");

    // Counts every value that is filled in, so that no two are alike.
    private long counter;

    public static void main(String[] arguments) throws Exception {
        Path schema = Path.of(arguments[0]);
        Path output = Path.of(arguments[1]);
        for (String folder : List.of("api", "data")) {
            List<Path> texts;
            try (Stream<Path> found = Files.list(schema.resolve(folder))) {
                texts = found.filter(path -> path.toString().endsWith(".txt")).sorted().collect(Collectors.toList());
            }
            for (Path text : texts) {
                String stem = text.getFileName().toString().replace(".txt", "");
                List<String> lines = new MakeGolden().examplesOf(text);
                Files.createDirectories(output.resolve(folder));
                Files.writeString(output.resolve(folder).resolve(stem + ".golden"), String.join("\n", lines) + "\n");
            }
        }
    }

    private List<String> examplesOf(Path text) throws Exception {
        List<String> lines = new ArrayList<>();
        String api = null;
        for (String line : Files.readAllLines(text)) {
            Matcher head = API.matcher(line);
            Matcher record = RECORD.matcher(line);
            Matcher versions = VERSIONS.matcher(line);
            if (head.matches()) {
                api = head.group(1);
            } else if (record.matches() && versions.matches()) {
                add(lines, record.group(1), record.group(1), versions);
            } else if (api != null && versions.matches()) {
                add(lines, api + "Request", api + "RequestData", versions);
                add(lines, api + "Response", api + "ResponseData", versions);
                api = null;
            }
        }
        return lines;
    }

    private void add(List<String> lines, String name, String javaName, Matcher range) throws Exception {
        int low = Integer.parseInt(range.group(1));
        int high = range.group(2) == null ? low : Integer.parseInt(range.group(2));
        Class<?> type = find(javaName);
        if (type == null) {
            System.out.println("not in Java: " + name);
            return;
        }
        int javaLow = type.getField("LOWEST_SUPPORTED_VERSION").getShort(null);
        int javaHigh = type.getField("HIGHEST_SUPPORTED_VERSION").getShort(null);
        for (int version = Math.min(low, javaLow); version <= Math.max(high, javaHigh); version++) {
            if (version < javaLow || version > javaHigh) System.out.println("only ours: " + name + " v" + version);
            if (version < low || version > high) System.out.println("only Java's: " + name + " v" + version);
            if (version < Math.max(low, javaLow) || version > Math.min(high, javaHigh)) continue;
            for (boolean full : new boolean[] {true, false}) {
                lines.add(example(type, name, (short) version, full));
            }
        }
    }

    private static Class<?> find(String name) {
        for (String prefix : PACKAGES) {
            try {
                return Class.forName(prefix + name);
            } catch (ClassNotFoundException absent) {
                continue;
            }
        }
        return null;
    }

    private String example(Class<?> type, String name, short version, boolean full) throws Exception {
        counter = version * 1000L;
        Message message = (Message) type.getDeclaredConstructor().newInstance();
        fill(message, (Schema) type.getField("SCHEMA_" + version).get(null), full, 0);
        ObjectSerializationCache cache = new ObjectSerializationCache();
        int size = message.size(cache, version);
        ByteBuffer buffer = ByteBuffer.allocate(size);
        ByteBufferAccessor accessor = new ByteBufferAccessor(buffer);
        message.write(accessor, cache, version);
        if (buffer.hasRemaining()) throw new IllegalStateException(name + ": size() and write() disagree");
        Class<?> converter = Class.forName(type.getName() + "JsonConverter");
        JsonNode json = (JsonNode) converter.getMethod("write", type, short.class, boolean.class)
            .invoke(null, message, version, false);
        String bytes = Base64.getEncoder().encodeToString(buffer.array());
        return name + " " + version + " " + (full ? "full" : "bare") + " " + (bytes.isEmpty() ? "-" : bytes) + " " + json;
    }

    // Sets the fields that the schema of the version has, tagged ones too.
    private void fill(Object object, Schema schema, boolean full, int depth) throws Exception {
        for (BoundField bound : schema.fields()) {
            if (bound.def.type instanceof TaggedFields tagged) {
                for (org.apache.kafka.common.protocol.types.Field field : tagged.fields().values()) {
                    fillField(object, field.name, field.type, full, depth);
                }
            } else {
                fillField(object, bound.def.name, bound.def.type, full, depth);
            }
        }
    }

    private void fillField(Object object, String name, Type type, boolean full, int depth) throws Exception {
        Field field = fieldNamed(object.getClass(), name);
        if (!full) {
            if (type.isNullable() && !field.getType().isPrimitive()) {
                field.set(object, null);
            } else if (structOf(type) != null) {
                Object inner = newInstance(field.getType());
                fill(inner, structOf(type), false, depth + 1);
                field.set(object, inner);
            }
            return;
        }
        field.set(object, value(field, type, field.get(object), depth));
    }

    private static Field fieldNamed(Class<?> type, String name) {
        String wanted = name.replace("_", "").toLowerCase();
        for (Field field : type.getDeclaredFields()) {
            if (Modifier.isStatic(field.getModifiers())) continue;
            if (!field.getName().replace("_", "").toLowerCase().equals(wanted)) continue;
            field.setAccessible(true);
            return field;
        }
        throw new IllegalStateException(type + " has no field " + name);
    }

    private static Schema structOf(Type type) {
        return type instanceof Schema schema ? schema : null;
    }

    private Object value(Field field, Type type, Object present, int depth) throws Exception {
        Class<?> java = field.getType();
        if (Collection.class.isAssignableFrom(java)) return elements(field, type, depth);
        if (structOf(type) != null) {
            Object inner = newInstance(java);
            fill(inner, structOf(type), true, depth + 1);
            return inner;
        }
        return scalar(java, field.getName(), present);
    }

    private Object elements(Field field, Type type, int depth) throws Exception {
        Type element = type.arrayElementType().orElseThrow();
        Class<?> java = elementClass(field);
        int count = depth == 0 ? 2 : 1;
        List<Object> items = new ArrayList<>();
        for (int at = 0; at < count; at++) {
            if (structOf(element) != null) {
                Object item = newInstance(java);
                fill(item, structOf(element), true, depth + 1);
                items.add(item);
            } else {
                items.add(scalar(java, field.getName(), null));
            }
        }
        if (!ImplicitLinkedHashMultiCollection.class.isAssignableFrom(field.getType())) return items;
        @SuppressWarnings("unchecked")
        Collection<Object> collection = (Collection<Object>) newInstance(field.getType());
        collection.addAll(items);
        if (collection.size() != count) throw new IllegalStateException(field + ": elements lost");
        return collection;
    }

    private static Class<?> elementClass(Field field) {
        java.lang.reflect.Type generic = field.getGenericType();
        if (!(generic instanceof ParameterizedType)) generic = field.getType().getGenericSuperclass();
        return (Class<?>) ((ParameterizedType) generic).getActualTypeArguments()[0];
    }

    private static Object newInstance(Class<?> type) throws Exception {
        var constructor = type.getDeclaredConstructor();
        constructor.setAccessible(true);
        return constructor.newInstance();
    }

    // A value that is not the present one, and like no other.
    private Object scalar(Class<?> type, String name, Object present) {
        counter++;
        long mixed = counter * 0x9e3779b97f4a7c15L;
        if (type == boolean.class || type == Boolean.class) return !Boolean.TRUE.equals(present);
        if (type == byte.class || type == Byte.class) return (byte) (counter % 100 + 20);
        if (type == short.class || type == Short.class) return (short) (counter % 2 == 0 ? mixed >>> 49 : -counter % 3000 - 2);
        if (type == int.class || type == Integer.class) return integer(name, mixed);
        if (type == long.class || type == Long.class) return counter % 2 == 0 ? mixed >>> 1 : -counter - 5;
        if (type == double.class) return counter + 0.5;
        if (type == String.class) return name + "-" + counter + (counter % 3 == 0 ? "-\u00fc\u20ac" : "");
        if (type == Uuid.class) return new Uuid(mixed, ~mixed);
        if (type == byte[].class) return bytes();
        if (type == ByteBuffer.class) return ByteBuffer.wrap(bytes());
        if (BaseRecords.class.isAssignableFrom(type)) return MemoryRecords.readableRecords(ByteBuffer.wrap(bytes()));
        throw new IllegalStateException("no value for " + type);
    }

    // Ports travel as 16 bits without a sign in some messages, and Java holds all of them as int.
    private Object integer(String name, long mixed) {
        if (name.equals("port")) return (int) (counter % 2 == 0 ? 40000 + counter % 20000 : 9092 + counter % 100);
        return counter % 2 == 0 ? (int) (mixed >>> 33) : (int) (-counter - 7);
    }

    private byte[] bytes() {
        byte[] bytes = new byte[(int) (counter % 5 + 3)];
        for (int at = 0; at < bytes.length; at++) bytes[at] = (byte) (counter * 31 + at * 77);
        return bytes;
    }
}

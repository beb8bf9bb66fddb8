// The model of a schema file and its parser. The grammar is explained in src/wire/schema/README.md.
// A schema that is wrong is a build error: parse_schema throws SchemaError with file and line.
#pragma once

#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

namespace wiregen {

struct SchemaError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Both ends included; `high` is kOpen for "and all later ones".
struct Versions {
  static constexpr int kOpen = 32767;
  int low = 0;
  int high = -1;

  bool empty() const { return low > high; }
  bool contains(int version) const { return version >= low && version <= high; }
  bool covers(const Versions& other) const {
    return other.empty() || (low <= other.low && high >= other.high);
  }
};

enum class Kind : std::uint8_t {
  boolean,
  int8,
  int16,
  uint16,
  int32,
  uint32,
  int64,
  float64,
  error_code,
  uuid,
  string,
  bytes,
  records,
  structure,
};

struct Type {
  Kind kind{};
  std::string structure;  // the struct's name for Kind::structure
  bool array = false;
};

struct Field {
  std::string name;  // Kafka's spelling
  Type type;
  Versions versions;
  Versions nullable;
  std::optional<int> tag;
  Versions tagged;
  std::string default_text;  // as written; empty if none is
  bool ignorable = false;
  bool borrow = false;
  bool sensitive = false;
  std::string limit;
};

struct Struct {
  std::string name;
  Versions versions;
  std::vector<Field> fields;
};

// One thing that is encoded on its own: a request, a response, or a record.
struct Message {
  std::string name;  // the C++ type
  Versions valid;
  Versions flexible;
  std::optional<int> record_key;
  Struct top;
  std::vector<Struct> structs;  // every struct after those that it uses

  const Struct& find(const std::string& structure) const;
};

struct Permission {
  std::string resource;
  std::string operation;
};

struct Api {
  int key = 0;
  std::string name;
  Versions advertised;
  std::vector<std::string> listeners;
  std::vector<Permission> permissions;
  bool before_authentication = false;
};

struct SchemaFile {
  std::string stem;  // file name without folder and extension: also that of the generated files
  std::optional<Api> api;
  std::vector<Message> messages;  // request and response, or the records
};

SchemaFile parse_schema(const std::string& path);

// ThrottleTimeMs -> throttle_time_ms; throttleTimeMs -> ThrottleTimeMs; ThrottleTimeMs -> throttleTimeMs.
std::string snake_case(const std::string& name);
std::string lower_first(const std::string& name);

}  // namespace wiregen

// Printer: messages as one line of JSON, for request logs and golden tests. Field names, base64 of bytes and
// "recordsSizeInBytes" instead of records are as Kafka's own request log prints them. Text that is not UTF-8
// prints with replacement characters; secrets print as "***" unless asked for.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.hpp"
#include "base/uuid.hpp"
#include "wire/error_code.hpp"
#include "wire/message.hpp"

namespace tailwater::wire {

class Printer {
 public:
  Printer(std::string& out, Secrets secrets) : out_(out), secrets_(secrets) {}

  void begin_object() { open('{'); }
  void end_object() { out_ += '}'; }
  void begin_array() { open('['); }
  void end_array() { out_ += ']'; }
  void key(std::string_view name);
  void null() { bare("null"); }

  void value(bool value) { bare(value ? "true" : "false"); }
  void value(std::int64_t value);
  void value(double value);
  void value(const Uuid& value) { bare_text(to_string(value)); }
  void value(ErrorCode value) { this->value(static_cast<std::int64_t>(value)); }
  void value(std::string_view value) { bare_text(value); }
  void value(const std::string& value) { bare_text(value); }
  void value(Bytes value);
  void value(const Buffer& value) { this->value(Bytes(value)); }
  template <std::integral Number>
  void value(Number number) {
    value(static_cast<std::int64_t>(number));
  }
  template <class Item>
  void value(const std::vector<Item>& items) {
    begin_array();
    for (const Item& item : items) value(item);
    end_array();
  }
  template <class Value>
  void value(const std::optional<Value>& optional) {
    if (optional) {
      value(*optional);
    } else {
      null();
    }
  }

  template <class Value>
  void field(std::string_view name, const Value& content) {
    key(name);
    value(content);
  }
  template <class Value>
  void secret(std::string_view name, const Value& content) {
    key(name);
    if (secrets_ == Secrets::show) return value(content);
    bare_text("***");
  }
  void records(std::string_view name, const std::optional<Bytes>& content);

 private:
  void separate();
  void open(char bracket);
  void bare(std::string_view text);
  void bare_text(std::string_view text);

  std::string& out_;
  Secrets secrets_;
};

}  // namespace tailwater::wire

// The language of record formats: one text that prints records (consume) or takes them apart (produce).
//
//   format  = (literal | escape | verb)*          escape = \t \n \r \\ \0 \xNN, and %% %{ %} for themselves
//   verb    = '%' letter [ '{' modifier '}' ]     %h{...} holds a format for one header
//
//   %t %p %o            topic, partition, offset
//   %k %v               key, value; %s is another name of %v
//   %K %V %T            the sizes in bytes of key, value and topic; %S is another name of %V
//   %h{...} %H          each header; their count
//   %d                  timestamp
//   %i                  number of the record, from 1
//   %[ %]               start and end offset of the partition
//   %a{timestamp-type}
//   %e %x %y            read and skipped by produce, for formats made elsewhere
//
// Modifiers of numbers: ascii hex4 hex8 hex16 hex32 hex64 big8 big16 big32 big64 little8..64 byte bool, and
// when reading a number alone, which stands for itself and reads nothing: %K{4} says that every key has four
// bytes. Modifiers of text: hex base64 base64raw unpack[...]; only when reading: json. Modifiers of %d:
// strftime[...] go[...] rfc3339, and those of numbers (milliseconds).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace tailwater::apps::cli {

enum class Verb : std::uint8_t {
  literal,
  topic,
  topic_size,
  key,
  key_size,
  value,
  value_size,
  headers,
  header_count,
  partition,
  offset,
  leader_epoch,
  timestamp,
  attribute,
  producer_id,
  producer_epoch,
  log_start,
  high_watermark,
  counter,
};

struct NumberForm {
  enum class Kind : std::uint8_t { ascii, hex, big, little, boolean, constant };
  Kind kind = Kind::ascii;
  unsigned bytes = 8;         // of hex, big and little; 0: half a byte (hex4)
  std::int64_t constant = 0;  // of constant
};

enum class TextForm : std::uint8_t { plain, hex, base64, base64raw, json, unpack };
enum class TimeForm : std::uint8_t { number, strftime, go, rfc3339 };

struct FormatItem {
  Verb verb = Verb::literal;
  std::string literal;  // of a literal; the argument of strftime, go and unpack; the attribute's name
  NumberForm number;
  TextForm text = TextForm::plain;
  TimeForm time = TimeForm::number;
  std::vector<FormatItem> nested;  // of headers
};

enum class FormatUse : std::uint8_t { print, read };

// Errc::invalid_argument with a sentence that says what is wrong and where.
Result<std::vector<FormatItem>> parse_format(std::string_view format, FormatUse use);

bool is_text(Verb verb);    // topic, key, value
bool is_number(Verb verb);  // all that have a number's form; timestamp too

// The letter, for messages: "%k".
std::string verb_name(Verb verb);

}  // namespace tailwater::apps::cli

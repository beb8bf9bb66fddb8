// What the emitters share: an indenting text builder and the translation of schema terms into C++ terms.
// Emitted code is written so that clang-format has nothing to do; people read and step through it.
#pragma once

#include <string>
#include <vector>

#include "schema.hpp"

namespace wiregen {

// Collects lines. A line that ends in '{' indents what follows, one that starts with '}' ends that.
class Text {
 public:
  explicit Text(int level = 0) : level_(level) {}

  Text& line(const std::string& content = "");
  // `if (condition) statement`, in two lines if it is long; only the statement if the condition is empty.
  Text& when(const std::string& condition, const std::string& statement);
  // Lines that are whole already.
  Text& raw(const std::string& lines);
  const std::string& str() const { return text_; }

 private:
  std::string text_;
  int level_;
};

inline constexpr std::size_t kColumns = 110;

// The C++ type of a field of the message, and that of one element of it.
std::string value_type(const Message& message, const Field& field);
std::string item_type(const Message& message, const Field& field);
bool is_nullable(const Field& field);
bool is_borrowed(const Field& field);
// Of bytes, which have no equality of their own.
bool is_span(const Field& field);

// A nullable tagged field whose absence means empty, so that null is written out; and that empty value.
bool empty_when_absent(const Field& field);
std::string value_of_absent(const Message& message, const Field& field);

// " = -1" or ""; the value itself: "-1", "ErrorCode::none".
std::string default_value(const Field& field);

// The condition on `version` under which a field with `versions` exists in a message valid in `valid`:
// empty if always.
std::string condition(const Versions& versions, const Versions& valid);
bool always(const Versions& versions, const Versions& valid);
bool never(const Versions& versions, const Versions& valid);

// An expression that is true if `access` (a member access) does not hold the default.
std::string differs_from_default(const Message& message, const Field& field, const std::string& access);

// Conditions joined by &&.
std::string both(const std::string& left, const std::string& right);

// The fewest bytes that the struct takes in any version of the message in which `within` exists.
int fewest_bytes(const Message& message, const Struct& structure, const Versions& within);

// The struct's C++ name. Structs stand beside their message, as FetchRequestFetchTopic, and the message names
// them FetchRequest::FetchTopic: a nested class with initialisers would not yet be constructible inside the
// outer one.
std::string struct_name(const Message& message, const std::string& structure);

// Fields outside of the tagged section, and those inside by ascending tag.
std::vector<const Field*> tagged_fields(const Struct& structure);

// The files, each as its whole text.
std::string message_header(const SchemaFile& file, const std::vector<const Message*>& messages);
std::string message_source(const SchemaFile& file);
std::string example_source(const SchemaFile& file);
std::string api_key_header(const std::vector<SchemaFile>& files);
std::string api_table_source(const std::vector<SchemaFile>& files);
std::string example_list_source(const std::vector<SchemaFile>& files);
std::string fuzz_dictionary(const std::vector<SchemaFile>& files);

}  // namespace wiregen

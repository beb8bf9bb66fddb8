// The parser: lines, indented by two spaces a level, into the model; then checks that need the whole message.
#include "schema.hpp"

#include <algorithm>
#include <cctype>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

namespace wiregen {

namespace {

struct Line {
  int number = 0;
  int level = 0;
  std::vector<std::string> words;
};

class Parser {
 public:
  explicit Parser(const std::string& path) : path_(path) { read_lines(); }

  SchemaFile parse() {
    SchemaFile file;
    const auto slash = path_.find_last_of('/');
    file.stem = path_.substr(slash + 1, path_.find_last_of('.') - slash - 1);
    while (!done()) {
      const Line& head = line();
      if (head.level != 0) fail("expected api, data, key, value or record");
      if (head.words[0] == "api") {
        parse_api(file);
      } else {
        parse_record(file);
      }
    }
    if (file.messages.empty()) throw SchemaError(path_ + ": no message");
    return file;
  }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    const int number = at_ < lines_.size() ? lines_[at_].number : lines_.back().number;
    throw SchemaError(path_ + ":" + std::to_string(number) + ": " + what);
  }

  void read_lines() {
    std::ifstream input(path_);
    if (!input) throw SchemaError(path_ + ": cannot be read");
    std::string text;
    for (int number = 1; std::getline(input, text); ++number) {
      const auto first = text.find_first_not_of(' ');
      if (first == std::string::npos || text[first] == '#') continue;
      Line parsed{number, static_cast<int>(first / 2), {}};
      std::istringstream words(text);
      for (std::string word; words >> word;) parsed.words.push_back(word);
      lines_.push_back(parsed);
    }
  }

  bool done() const { return at_ >= lines_.size(); }
  const Line& line() const { return lines_[at_]; }

  int number(const std::string& text) const {
    if (text.empty() ||
        !std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isdigit(c); })) {
      fail("expected a number, not '" + text + "'");
    }
    return std::stoi(text);
  }

  // 3  3-5  3+  none
  Versions versions(const std::string& text) const {
    if (text == "none") return {};
    if (text.back() == '+') return {number(text.substr(0, text.size() - 1)), Versions::kOpen};
    const auto dash = text.find('-');
    if (dash == std::string::npos) return {number(text), number(text)};
    return {number(text.substr(0, dash)), number(text.substr(dash + 1))};
  }

  void parse_api(SchemaFile& file) {
    Api api;
    Versions valid;
    Versions flexible;
    if (line().words.size() != 3) fail("expected: api KEY NAME");
    api.key = number(line().words[1]);
    api.name = line().words[2];
    for (++at_; !done() && line().level == 1; ++at_) parse_api_attribute(api, valid, flexible);
    if (valid.empty()) fail("an api needs versions");
    if (api.advertised.empty()) api.advertised = valid;
    if (api.listeners.empty()) fail("an api needs a listener");
    if (!has_security_) fail("an api needs a security line");
    for (const char* part : {"request", "response"}) {
      if (done() || line().words[0] != part) fail(std::string("expected ") + part);
      ++at_;
      const std::string suffix = std::string(part) == "request" ? "Request" : "Response";
      file.messages.push_back(parse_message(api.name + suffix, valid, flexible));
    }
    file.api = api;
  }

  void parse_api_attribute(Api& api, Versions& valid, Versions& flexible) {
    const auto& words = line().words;
    if (words.size() < 2) fail("an attribute needs a value");
    if (words[0] == "versions") {
      if (words.size() != 4 || words[2] != "flexible") fail("expected: versions A-B  flexible N+");
      valid = versions(words[1]);
      flexible = versions(words[3]);
    } else if (words[0] == "advertised") {
      api.advertised = versions(words[1]);
    } else if (words[0] == "listener") {
      std::istringstream names(words[1]);
      for (std::string name; std::getline(names, name, ',');) api.listeners.push_back(name);
    } else if (words[0] == "security") {
      parse_security(api);
    } else if (words[0] == "before-authentication") {
      if (words[1] != "yes" && words[1] != "no") fail("expected yes or no");
      api.before_authentication = words[1] == "yes";
    } else {
      fail("unknown attribute '" + words[0] + "'");
    }
  }

  // security none | security RESOURCE OPERATION, RESOURCE OPERATION...
  void parse_security(Api& api) {
    const auto& words = line().words;
    has_security_ = true;
    if (words[1] == "none") return;
    if (words.size() % 2 == 0) fail("expected: security RESOURCE OPERATION, ...");
    for (std::size_t at = 1; at < words.size(); at += 2) {
      std::string operation = words[at + 1];
      if (operation.back() == ',') operation.pop_back();
      std::string resource = words[at];
      std::replace(resource.begin(), resource.end(), '-', '_');
      // The one operation whose name C++ keeps for itself.
      api.permissions.push_back({resource, operation == "Delete" ? "remove" : snake_case(operation)});
    }
  }

  // data|key|value|record NAME [record-key N] versions A-B flexible N+
  void parse_record(SchemaFile& file) {
    static const std::set<std::string> kinds{"data", "key", "value", "record"};
    const auto words = line().words;
    if (words.size() < 6 || !kinds.contains(words[0])) fail("expected: data|key|value|record NAME ...");
    std::optional<int> key;
    std::size_t at = 2;
    if (words[at] == "record-key") {
      key = number(words[at + 1]);
      at += 2;
    }
    if (words.size() != at + 4 || words[at] != "versions" || words[at + 2] != "flexible") {
      fail("expected: versions A-B  flexible N+");
    }
    const Versions valid = versions(words[at + 1]);
    const Versions flexible = versions(words[at + 3]);
    ++at_;
    file.messages.push_back(parse_message(words[1], valid, flexible));
    file.messages.back().record_key = key;
  }

  Message parse_message(const std::string& name, Versions valid, Versions flexible) {
    Message message;
    message.name = name;
    message.valid = valid;
    message.flexible = flexible;
    declared_.clear();
    message.top.name = name;
    message.top.versions = valid;
    message.top.fields = parse_fields(1);
    std::set<std::string> placed;
    place_used(message, message.top, placed);
    for (const auto& [declared, structure] : declared_) {
      if (!placed.contains(declared)) fail(name + "'s struct " + declared + " is not used");
    }
    return message;
  }

  // Depth first, so that a struct stands after those that it holds.
  void place_used(Message& message, const Struct& user, std::set<std::string>& placed) {
    for (const Field& field : user.fields) {
      if (field.type.kind != Kind::structure || placed.contains(field.type.structure)) continue;
      const auto found = declared_.find(field.type.structure);
      if (found == declared_.end()) fail(message.name + " has no struct " + field.type.structure);
      placed.insert(field.type.structure);
      place_used(message, found->second, placed);
      message.structs.push_back(found->second);
    }
  }

  std::vector<Field> parse_fields(int level) {
    std::vector<Field> fields;
    while (!done() && line().level == level && line().words[0] != "request" &&
           line().words[0] != "response") {
      if (line().words[0] == "struct") {
        if (line().words.size() != 3) fail("expected: struct NAME vVERSIONS");
        const std::string name = line().words[1];
        const Versions range = versions(line().words[2].substr(1));
        ++at_;
        declare({name, range, parse_fields(level + 1)});
        continue;
      }
      fields.push_back(parse_field());
      ++at_;
      if (done() || line().level <= level) continue;
      if (line().level != level + 1 || fields.back().type.kind != Kind::structure) fail("wrong indentation");
      const Field& owner = fields.back();
      declare({owner.type.structure, owner.versions, parse_fields(level + 1)});
    }
    return fields;
  }

  void declare(Struct structure) {
    const std::string name = structure.name;
    if (!declared_.emplace(name, std::move(structure)).second) fail("struct " + name + " is declared twice");
  }

  // NAME : [nullable(V)] TYPE vVERSIONS attributes
  Field parse_field() const {
    const auto& words = line().words;
    if (words.size() < 4 || words[1] != ":") fail("expected: NAME : TYPE vVERSIONS");
    Field field;
    field.name = words[0];
    std::size_t at = 2;
    if (words[at].starts_with("nullable(")) {
      field.nullable = versions(words[at].substr(9, words[at].size() - 10));
      ++at;
    }
    field.type = type(words[at++], field.name);
    if (at >= words.size() || words[at][0] != 'v') fail("expected the field's versions");
    field.versions = versions(words[at++].substr(1));
    while (at < words.size()) parse_field_attribute(field, words, at);
    check(field);
    return field;
  }

  void parse_field_attribute(Field& field, const std::vector<std::string>& words, std::size_t& at) const {
    const std::string word = words[at++];
    const auto value = [&]() -> const std::string& {
      if (at >= words.size()) fail(word + " needs a value");
      return words[at++];
    };
    if (word == "default") {
      field.default_text = value();
    } else if (word == "tag") {
      field.tag = number(value());
      if (value() != "in") fail("expected: tag N in vVERSIONS");
      field.tagged = versions(value().substr(1));
    } else if (word == "limit") {
      field.limit = std::to_string(number(value()));
    } else if (word == "ignorable") {
      field.ignorable = true;
    } else if (word == "borrow") {
      field.borrow = true;
    } else if (word == "sensitive") {
      field.sensitive = true;
    } else {
      fail("unknown attribute '" + word + "'");
    }
  }

  void check(const Field& field) const {
    const bool is_text = field.type.kind == Kind::string && !field.type.array;
    if (field.borrow && field.type.kind != Kind::bytes && !is_text)
      fail("only bytes and strings can be borrowed");
    if (!field.limit.empty() && !field.type.array && field.type.kind != Kind::bytes) {
      fail("a limit is for arrays and bytes");
    }
    if (field.default_text == "null" && field.nullable.empty())
      fail("null is no default of a field that cannot be");
    const bool empty = field.default_text == "empty";
    if (empty && (!field.tag || field.nullable.empty())) fail("default empty is for nullable tagged fields");
    if (field.tag && !field.nullable.empty() && !empty && field.default_text != "null") {
      fail("a nullable tagged field needs default null or default empty");
    }
    if (field.tag && !field.tagged.covers(field.versions))
      fail("a field is tagged in all its versions or in none");
    const bool can_be_null = field.type.array || field.type.kind == Kind::string ||
                             field.type.kind == Kind::bytes || field.type.kind == Kind::records ||
                             field.type.kind == Kind::structure;
    if (!field.nullable.empty() && !can_be_null) fail("this type cannot be null");
  }

  Type type(const std::string& text, const std::string& field_name) const {
    if (text.starts_with("array<")) {
      Type element = type(text.substr(6, text.size() - 7), "");
      element.array = true;
      return element;
    }
    static const std::map<std::string, Kind> kinds{
        {"bool", Kind::boolean}, {"int8", Kind::int8},     {"int16", Kind::int16}, {"uint16", Kind::uint16},
        {"int32", Kind::int32},  {"uint32", Kind::uint32}, {"int64", Kind::int64}, {"float64", Kind::float64},
        {"uuid", Kind::uuid},    {"string", Kind::string}, {"bytes", Kind::bytes}, {"records", Kind::records},
    };
    const auto found = kinds.find(text);
    if (found == kinds.end()) {
      if (!std::isupper(static_cast<unsigned char>(text[0]))) fail("unknown type '" + text + "'");
      return {Kind::structure, text};
    }
    if (found->second == Kind::int16 && field_name.ends_with("ErrorCode")) return {Kind::error_code, ""};
    return {found->second, ""};
  }

  std::string path_;
  std::vector<Line> lines_;
  std::size_t at_ = 0;
  std::map<std::string, Struct> declared_;
  bool has_security_ = false;
};

}  // namespace

const Struct& Message::find(const std::string& structure) const {
  if (structure == top.name) return top;
  for (const Struct& candidate : structs) {
    if (candidate.name == structure) return candidate;
  }
  throw SchemaError(name + " has no struct " + structure);
}

SchemaFile parse_schema(const std::string& path) {
  return Parser(path).parse();
}

std::string snake_case(const std::string& name) {
  std::string result;
  for (std::size_t at = 0; at < name.size(); ++at) {
    const auto letter = static_cast<unsigned char>(name[at]);
    const bool after_word = at > 0 && !std::isupper(static_cast<unsigned char>(name[at - 1]));
    if (std::isupper(letter) && after_word) result += '_';
    result += static_cast<char>(std::tolower(letter));
  }
  return result;
}

std::string lower_first(const std::string& name) {
  std::string result = name;
  result[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(result[0])));
  return result;
}

}  // namespace wiregen

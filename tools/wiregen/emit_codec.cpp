// Sources: decode, encode, encoded_size, unsupported_field and print of each message.
#include <algorithm>
#include <regex>

#include "emit.hpp"

namespace wiregen {

namespace {

// Everything that is emitted for one struct of one message.
class StructEmitter {
 public:
  StructEmitter(Text& text, const Message& message, const Struct& structure)
      : text_(text), message_(message), structure_(structure), name_(struct_name(message, structure.name)) {}

  void emit_equality();
  void emit_read();
  void emit_write();
  void emit_print();
  void emit_lacking();

 private:
  static std::string access(const Field& field) { return "message." + snake_case(field.name); }
  std::string when(const Field& field) const { return condition(field.versions, message_.valid); }
  // The same where it is known that the version is flexible.
  std::string when_tagged(const Field& field) const {
    return condition(field.versions,
                     {std::max(message_.flexible.low, message_.valid.low), message_.valid.high});
  }
  std::string null_argument(const Field& field) const;
  std::string form() const;
  std::string flexible_condition() const { return condition(message_.flexible, message_.valid); }
  bool ever_flexible() const { return !never(message_.flexible, message_.valid); }
  std::vector<const Field*> untagged() const;
  void finish(const std::string& function, const std::string& first, const Text& body);
  std::string read_statement(const Field& field) const;
  std::string write_statement(const Field& field) const;
  std::string print_statement(const Field& field) const;
  std::string primitive(const Field& field) const;
  void emit_read_tags(Text& body) const;
  void emit_write_tags(Text& body) const;

  Text& text_;
  const Message& message_;
  const Struct& structure_;
  std::string name_;
};

bool needs_form(const Field& field) {
  if (field.type.array) return true;
  switch (field.type.kind) {
    case Kind::string:
    case Kind::bytes:
    case Kind::records:
      return true;
    default:
      return false;
  }
}

std::string StructEmitter::primitive(const Field& field) const {
  switch (field.type.kind) {
    case Kind::boolean:
      return "boolean";
    case Kind::int8:
      return "int8";
    case Kind::int16:
      return "int16";
    case Kind::uint16:
      return "uint16";
    case Kind::int32:
      return "int32";
    case Kind::uint32:
      return "uint32";
    case Kind::int64:
      return "int64";
    case Kind::float64:
      return "float64";
    case Kind::error_code:
      return "error_code";
    case Kind::uuid:
      return "uuid";
    case Kind::string:
      return "string";
    default:
      return "bytes";
  }
}

std::string StructEmitter::form() const {
  const std::string flexible = flexible_condition();
  if (flexible.empty()) return "Form::compact";
  return ever_flexible() ? "form" : "Form::plain";
}

std::string StructEmitter::null_argument(const Field& field) const {
  const Versions within{std::max(field.versions.low, message_.valid.low),
                        std::min(field.versions.high, message_.valid.high)};
  const std::string allowed = condition(field.nullable, within);
  if (allowed.empty()) return "Null::allowed";
  return allowed == "false" ? "Null::refused" : "null_if(" + allowed + ")";
}

std::vector<const Field*> StructEmitter::untagged() const {
  std::vector<const Field*> fields;
  for (const Field& field : structure_.fields) {
    if (!field.tag) fields.push_back(&field);
  }
  return fields;
}

// Whether `word` stands in the emitted code as a name of its own, not as a member or a text.
bool mentions(const std::string& code, const std::string& word) {
  return std::regex_search(code, std::regex("(^|[^.\\w\"])" + word + "\\b"));
}

// The whole function around a body that is emitted already: parameters that it does not use have no name.
void StructEmitter::finish(const std::string& function, const std::string& first, const Text& body) {
  const std::string form_line =
      mentions(body.str(), "form") ? "  const Form form = form_if(" + flexible_condition() + ");\n" : "";
  const std::string code = form_line + body.str();
  const std::string kind = function == "void read_fields" ? "" : "const ";
  const std::string head = "static " + function + "(" + first + (first.empty() ? "" : ", ");
  const std::string version = mentions(code, "version") ? "std::int16_t version, " : "std::int16_t, ";
  const std::string last = kind + name_ + "&" + (mentions(code, "message") ? " message) {" : ") {");
  const bool fits = (head + version + last).size() <= kColumns;
  const std::string indent(fits ? 0 : head.find('(') + 1, ' ');
  text_.raw(head + version.substr(0, version.size() - (fits ? 0 : 1)) + (fits ? "" : "\n") + indent + last +
            "\n");
  text_.raw(code + "}\n\n");
}

void StructEmitter::emit_equality() {
  if (!std::ranges::any_of(structure_.fields, is_span)) return;
  text_.line("bool operator==(const " + name_ + "& left, const " + name_ + "& right) {");
  std::string all;
  for (const Field& field : structure_.fields) {
    const std::string member = snake_case(field.name);
    const std::string same = is_span(field) ? "same_bytes(left." + member + ", right." + member + ")"
                                            : "left." + member + " == right." + member;
    all += (all.empty() ? "return " : " &&\n         ") + same;
  }
  text_.line(all + ";").line("}").line();
}

std::string StructEmitter::read_statement(const Field& field) const {
  const std::string target = access(field);
  const std::string item = item_type(message_, field);
  const std::string limit = field.limit.empty() ? "" : ", " + field.limit;
  if (field.type.array && field.type.kind == Kind::structure) {
    const std::string fewest =
        std::to_string(fewest_bytes(message_, message_.find(field.type.structure), field.versions));
    if (!is_nullable(field)) {
      return target + " = read_items<" + item + ">(reader, version, " + form() + ", " + fewest + limit + ");";
    }
    return target + " = read_nullable_items<" + item + ">(reader, version, " + form() + ", " +
           null_argument(field) + ", " + fewest + limit + ");";
  }
  if (field.type.array) {
    if (!is_nullable(field)) return target + " = reader.array<" + item + ">(" + form() + limit + ");";
    return target + " = reader.nullable_array<" + item + ">(" + form() + ", " + null_argument(field) + limit +
           ");";
  }
  if (field.type.kind == Kind::structure) {
    if (!is_nullable(field)) return "read_fields(reader, version, " + target + ");";
    if (field.tag) return target + " = read_tagged_nullable<" + item + ">(reader, version);";
    return target + " = read_nullable<" + item + ">(reader, version, " + null_argument(field) + ");";
  }
  if (!needs_form(field)) return target + " = reader." + primitive(field) + "();";
  const std::string borrowed = field.type.kind == Kind::string ? "text" : "span";
  const std::string what = is_borrowed(field) ? borrowed : primitive(field);
  if (!is_nullable(field)) return target + " = reader." + what + "(" + form() + limit + ");";
  return target + " = reader.nullable_" + what + "(" + form() + ", " + null_argument(field) + limit + ");";
}

void StructEmitter::emit_read() {
  Text body(1);
  for (const Field* field : untagged()) body.when(when(*field), read_statement(*field));
  emit_read_tags(body);
  finish("void read_fields", "Reader& reader", body);
}

void StructEmitter::emit_read_tags(Text& body) const {
  if (!ever_flexible()) return;
  const auto fields = tagged_fields(structure_);
  if (fields.empty()) {
    body.when(flexible_condition(), "reader.skip_tags();");
    return;
  }
  const bool conditional = !flexible_condition().empty();
  if (conditional) body.line("if (" + flexible_condition() + ") {");
  for (const Field* field : fields) {
    if (empty_when_absent(*field)) {
      body.when(when_tagged(*field), access(*field) + " = " + value_of_absent(message_, *field) + ";");
    }
  }
  body.line("for (TagReader tags(reader); tags.next();) {");
  body.line("switch (tags.tag()) {");
  for (const Field* field : fields) {
    body.line("case " + std::to_string(*field->tag) + ": {");
    body.when(when_tagged(*field), read_statement(*field));
    body.line("break;").line("}");
  }
  body.line("default: break;");
  body.line("}").line("}");
  if (conditional) body.line("}");
}

std::string StructEmitter::write_statement(const Field& field) const {
  const std::string source = access(field);
  if (field.type.array && field.type.kind == Kind::structure) {
    if (!is_nullable(field)) return "write_items(writer, version, " + form() + ", " + source + ");";
    return "write_nullable_items(writer, version, " + form() + ", " + null_argument(field) + ", " + source +
           ");";
  }
  if (field.type.array) {
    if (!is_nullable(field)) return "writer.array(" + source + ", " + form() + ");";
    return "writer.nullable_array(" + source + ", " + form() + ", " + null_argument(field) + ");";
  }
  if (field.type.kind == Kind::structure) {
    if (!is_nullable(field)) return "write_fields(writer, version, " + source + ");";
    return (field.tag ? "write_tagged_nullable" : "write_nullable") + ("(writer, version, " + source + ");");
  }
  if (!needs_form(field)) return "writer." + primitive(field) + "(" + source + ");";
  if (!is_nullable(field)) return "writer." + primitive(field) + "(" + source + ", " + form() + ");";
  return "writer.nullable_" + primitive(field) + "(" + source + ", " + form() + ", " + null_argument(field) +
         ");";
}

void StructEmitter::emit_write() {
  Text body(1);
  for (const Field* field : untagged()) body.when(when(*field), write_statement(*field));
  emit_write_tags(body);
  finish("void write_fields", "Writer& writer", body);
}

void StructEmitter::emit_write_tags(Text& body) const {
  if (!ever_flexible()) return;
  const auto fields = tagged_fields(structure_);
  if (fields.empty()) {
    body.when(flexible_condition(), "writer.no_tags();");
    return;
  }
  const bool conditional = !flexible_condition().empty();
  if (conditional) body.line("if (" + flexible_condition() + ") {");
  std::string all;
  for (const Field* field : fields) {
    const std::string has = "has_" + snake_case(field->name);
    const std::string differs = differs_from_default(message_, *field, access(*field));
    const std::string whole = "const bool " + has + " = " + both(when_tagged(*field), differs) + ";";
    body.line(whole);
    all += (all.empty() ? "" : ", ") + has;
  }
  body.line("writer.tag_count({" + all + "});");
  for (const Field* field : fields) {
    body.line("if (has_" + snake_case(field->name) + ") {");
    body.line("const std::size_t begin = writer.begin_tag(" + std::to_string(*field->tag) + ");");
    body.line(write_statement(*field));
    body.line("writer.end_tag(begin);").line("}");
  }
  if (conditional) body.line("}");
}

std::string StructEmitter::print_statement(const Field& field) const {
  const std::string arguments = "(\"" + lower_first(field.name) + "\", " + access(field) + ");";
  if (field.type.kind == Kind::records) return "printer.records" + arguments;
  return (field.sensitive ? "printer.secret" : "printer.field") + arguments;
}

void StructEmitter::emit_print() {
  Text body(1);
  body.line("printer.begin_object();");
  for (const Field& field : structure_.fields) {
    std::string shown = when(field);
    if (field.tag) shown = both(shown, differs_from_default(message_, field, access(field)));
    if (field.type.kind != Kind::structure) {
      body.when(shown, print_statement(field));
      continue;
    }
    const std::string function = field.type.array     ? "print_items"
                                 : is_nullable(field) ? "print_nullable"
                                                      : "print_fields";
    if (!shown.empty()) body.line("if (" + shown + ") {");
    body.line("printer.key(\"" + lower_first(field.name) + "\");");
    body.line(function + "(printer, version, " + access(field) + ");");
    if (!shown.empty()) body.line("}");
  }
  body.line("printer.end_object();");
  finish("void print_fields", "Printer& printer", body);
}

// Whether some version drops a field of this struct, or of one inside it, that a sender has to care for.
bool can_lack(const Message& message, const Struct& structure) {
  return std::ranges::any_of(structure.fields, [&](const Field& field) {
    if (!field.ignorable && !always(field.versions, message.valid)) return true;
    return field.type.kind == Kind::structure && can_lack(message, message.find(field.type.structure));
  });
}

void StructEmitter::emit_lacking() {
  if (!can_lack(message_, structure_)) return;
  Text body(1);
  for (const Field& field : structure_.fields) {
    const std::string exists = when(field);
    if (!field.ignorable && !exists.empty()) {
      const std::string absent =
          exists.find("&&") == std::string::npos
              ? (exists.find(">=") != std::string::npos ? "version < " + exists.substr(exists.rfind(' ') + 1)
                                                        : "version > " + exists.substr(exists.rfind(' ') + 1))
              : "!(" + exists + ")";
      body.when(both(absent, differs_from_default(message_, field, access(field))),
                "return \"" + lower_first(field.name) + "\";");
    }
    if (field.type.kind != Kind::structure || !can_lack(message_, message_.find(field.type.structure)))
      continue;
    const std::string inner = field.type.array     ? "lacking_items(version, " + access(field) + ")"
                              : is_nullable(field) ? "lacking_nullable(version, " + access(field) + ")"
                                                   : "lacking_field(version, " + access(field) + ")";
    if (exists.empty()) {
      body.line("if (const auto field = " + inner + "; !field.empty()) return field;");
    } else {
      body.line("if (" + exists + ") {");
      body.line("if (const auto field = " + inner + "; !field.empty()) return field;");
      body.line("}");
    }
  }
  body.line("return {};");
  finish("std::string_view lacking_field", "", body);
}

void emit_message_functions(Text& text, const Message& message) {
  const std::string& name = message.name;
  text.line("Result<void> decode(Reader& reader, std::int16_t version, " + name + "& message) {");
  text.line("if (!speaks<" + name + ">(version)) return refuse_version(" + name + "::kName, version);");
  text.line("message = {};");
  text.line("read_fields(reader, version, message);");
  text.line("return finish_decode(reader, " + name + "::kName, version);");
  text.line("}").line();
  text.line("void encode(Writer& writer, std::int16_t version, const " + name + "& message) {");
  text.line("CHECK(speaks<" + name + ">(version));");
  text.line("write_fields(writer, version, message);");
  text.line("}").line();
  text.line("std::size_t encoded_size(std::int16_t version, const " + name + "& message) {");
  text.line("Writer counter = Writer::counter();");
  text.line("encode(counter, version, message);");
  text.line("return counter.size();");
  text.line("}").line();
  if (can_lack(message, message.top)) {
    text.line("std::string_view unsupported_field(std::int16_t version, const " + name + "& message) {");
    text.line("return lacking_field(version, message);");
  } else {
    text.line("std::string_view unsupported_field(std::int16_t, const " + name + "&) {");
    text.line("return {};");
  }
  text.line("}").line();
  text.line("void print(std::string& out, std::int16_t version, const " + name +
            "& message, Secrets secrets) {");
  text.line("Printer printer(out, secrets);");
  text.line("print_fields(printer, version, message);");
  text.line("}").line();
}

}  // namespace

std::string message_source(const SchemaFile& file) {
  Text text;
  const std::string folder = file.api ? "api/" : "data/";
  text.line("// Generated by tools/wiregen from src/wire/schema/" + folder + file.stem + ".txt.");
  if (file.api) {
    text.line("#include \"wire/api/" + file.stem + ".hpp\"").line();
  } else {
    for (const Message& message : file.messages) {
      text.line("#include \"wire/data/" + snake_case(message.name) + ".hpp\"");
    }
    text.line();
  }
  text.line("#include \"wire/codec.hpp\"").line();
  text.line("namespace tailwater::wire {").line();
  for (const Message& message : file.messages) {
    std::vector<const Struct*> structs;
    for (const Struct& structure : message.structs) structs.push_back(&structure);
    structs.push_back(&message.top);
    for (const Struct* structure : structs) {
      StructEmitter emitter(text, message, *structure);
      emitter.emit_equality();
      emitter.emit_read();
      emitter.emit_write();
      emitter.emit_print();
      emitter.emit_lacking();
    }
    emit_message_functions(text, message);
  }
  text.line("}  // namespace tailwater::wire");
  return text.str();
}

}  // namespace wiregen

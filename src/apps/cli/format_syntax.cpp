#include "apps/cli/format_syntax.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "apps/cli/text_encoding.hpp"
#include "apps/cli/unpack.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::array<std::pair<char, Verb>, 20> kLetters = {{
    {'t', Verb::topic},          {'T', Verb::topic_size},     {'k', Verb::key},
    {'K', Verb::key_size},       {'v', Verb::value},          {'V', Verb::value_size},
    {'s', Verb::value},          {'S', Verb::value_size},     {'h', Verb::headers},
    {'H', Verb::header_count},   {'p', Verb::partition},      {'o', Verb::offset},
    {'e', Verb::leader_epoch},   {'d', Verb::timestamp},      {'a', Verb::attribute},
    {'x', Verb::producer_id},    {'y', Verb::producer_epoch}, {'[', Verb::log_start},
    {']', Verb::high_watermark}, {'i', Verb::counter},
}};

std::optional<Verb> verb_of(char letter) {
  for (const auto& [known, verb] : kLetters) {
    if (known == letter) return verb;
  }
  return std::nullopt;
}

bool in_header(Verb verb) {
  return verb == Verb::key || verb == Verb::key_size || verb == Verb::value || verb == Verb::value_size;
}

std::optional<NumberForm> number_form(std::string_view name) {
  using Kind = NumberForm::Kind;
  if (name == "ascii" || name == "number") return NumberForm{Kind::ascii};
  if (name == "byte") return NumberForm{Kind::big, 1};
  if (name == "bool") return NumberForm{Kind::boolean};
  static constexpr std::array<std::pair<std::string_view, Kind>, 3> kFamilies = {
      {{"hex", Kind::hex}, {"big", Kind::big}, {"little", Kind::little}}};
  for (const auto& [family, kind] : kFamilies) {
    if (!name.starts_with(family)) continue;
    const std::string_view bits = name.substr(family.size());
    if (bits == "8") return NumberForm{kind, 1};
    if (bits == "16") return NumberForm{kind, 2};
    if (bits == "32") return NumberForm{kind, 4};
    if (bits == "64") return NumberForm{kind, 8};
    if (bits == "4" && kind == Kind::hex) return NumberForm{kind, 0};
  }
  if (name.empty() || name.size() > 9) return std::nullopt;
  std::int64_t constant = 0;
  for (const char digit : name) {
    if (digit < '0' || digit > '9') return std::nullopt;
    constant = constant * 10 + (digit - '0');
  }
  return NumberForm{Kind::constant, 0, constant};
}

// "strftime[%F]" -> "%F". The bracket is [...], (...), or #...#, and may be repeated to hold itself.
std::optional<std::string> bracketed(std::string_view text) {
  static constexpr std::array<std::pair<char, char>, 3> kPairs = {{{'[', ']'}, {'(', ')'}, {'#', '#'}}};
  for (const auto& [open, close] : kPairs) {
    if (!text.starts_with(open)) continue;
    std::size_t depth = 0;
    while (depth < text.size() && text[depth] == open) ++depth;
    if (open == close) depth = text.size() == 2 ? 1 : std::min(depth, text.size() / 2);
    if (text.size() < 2 * depth || !text.ends_with(std::string(depth, close))) return std::nullopt;
    return std::string(text.substr(depth, text.size() - 2 * depth));
  }
  return std::nullopt;
}

class FormatParser {
 public:
  FormatParser(std::string_view format, FormatUse use) : format_(format), rest_(format), use_(use) {}

  // The items up to the end, or up to the brace that closes a header's format.
  Result<std::vector<FormatItem>> items(bool nested) {
    std::vector<FormatItem> items;
    while (!rest_.empty()) {
      if (nested && rest_.front() == '}') return items;
      const char letter = rest_.front();
      rest_.remove_prefix(1);
      if (letter == '\\') {
        const auto escape = take_escape(rest_);
        if (!escape) return refuse(escape.error().message);
        add_literal(items, *escape);
      } else if (letter != '%') {
        add_literal(items, letter);
      } else if (!rest_.empty() && (rest_[0] == '%' || rest_[0] == '{' || rest_[0] == '}')) {
        add_literal(items, rest_[0]);
        rest_.remove_prefix(1);
      } else {
        auto item = verb(nested);
        if (!item) return std::unexpected(item.error());
        items.push_back(std::move(*item));
      }
    }
    if (nested) return refuse("%h{ is not closed by }");
    return items;
  }

 private:
  std::unexpected<Error> refuse(std::string_view what) const {
    return fail(Errc::invalid_argument,
                fmt::format("-f '{}', at {}: {}", format_, format_.size() - rest_.size(), what));
  }

  static void add_literal(std::vector<FormatItem>& items, char letter) {
    if (items.empty() || items.back().verb != Verb::literal) items.emplace_back();
    items.back().literal += letter;
  }

  Result<FormatItem> verb(bool nested) {
    if (rest_.empty()) return refuse("a % at the end; write %% for the sign itself");
    const char letter = rest_.front();
    const auto verb = verb_of(letter);
    if (letter == '|') return refuse("%| (last stable offset) is not known to this client");
    if (!verb) return refuse(fmt::format("there is no %{}; see --help for the verbs", letter));
    if (nested && !in_header(*verb)) return refuse(fmt::format("%{} has no place within %h{{...}}", letter));
    rest_.remove_prefix(1);
    FormatItem item;
    item.verb = *verb;
    if (auto allowed = check_use(item.verb); !allowed) return std::unexpected(allowed.error());
    const bool braced = rest_.starts_with('{');
    if (item.verb == Verb::headers)
      return braced ? headers(std::move(item)) : refuse("%h needs {...}: %h{%k=%v }");
    if (!braced) {
      if (item.verb == Verb::attribute) return refuse("%a needs {timestamp-type}");
      return item;
    }
    const std::size_t close = closing_brace();
    if (close == std::string_view::npos) return refuse("{ is not closed by }");
    const std::string_view modifier = rest_.substr(1, close - 1);
    auto modified = modify(item, modifier);
    if (!modified) return std::unexpected(modified.error());
    rest_.remove_prefix(close + 1);
    return item;
  }

  Result<void> check_use(Verb verb) const {
    const bool is_kept_by_client =
        verb == Verb::leader_epoch || verb == Verb::producer_id || verb == Verb::producer_epoch;
    if (use_ == FormatUse::print && is_kept_by_client) {
      return refuse(fmt::format("{} is not known to this client", verb_name(verb)));
    }
    return {};
  }

  // The brace that ends a modifier; a bracketed argument may hold braces.
  std::size_t closing_brace() const {
    const std::size_t open = rest_.find_first_of("[(#");
    const std::size_t plain = rest_.find('}');
    if (open == std::string_view::npos || plain == std::string_view::npos || open > plain) return plain;
    const char close = rest_[open] == '[' ? ']' : rest_[open] == '(' ? ')' : '#';
    const std::size_t found = rest_.find(std::string{close, '}'}, open + 1);
    return found == std::string_view::npos ? found : found + 1;
  }

  Result<FormatItem> headers(FormatItem item) {
    rest_.remove_prefix(1);
    auto nested = items(true);
    if (!nested) return std::unexpected(nested.error());
    item.nested = std::move(*nested);
    rest_.remove_prefix(1);
    return item;
  }

  Result<void> modify(FormatItem& item, std::string_view modifier) {
    if (item.verb == Verb::attribute) return modify_attribute(item, modifier);
    if (is_text(item.verb)) return modify_text(item, modifier);
    if (item.verb == Verb::timestamp && modify_time(item, modifier)) return {};
    const auto number = number_form(modifier);
    if (!number || (number->kind == NumberForm::Kind::constant && use_ == FormatUse::print)) {
      return refuse(
          fmt::format("{{{}}} is no form of {}; numbers have ascii, hex4 to hex64, big8 to big64, "
                      "little8 to little64, byte, bool{}",
                      modifier, verb_name(item.verb),
                      item.verb == Verb::timestamp ? ", times also strftime[...], go[...], rfc3339" : ""));
    }
    item.number = *number;
    return {};
  }

  Result<void> modify_attribute(FormatItem& item, std::string_view modifier) const {
    if (modifier != "timestamp-type" || use_ == FormatUse::read) {
      return refuse(
          "of the attributes only %a{timestamp-type} is known to this client, and only when printing");
    }
    item.literal = modifier;
    return {};
  }

  Result<void> modify_text(FormatItem& item, std::string_view modifier) const {
    static constexpr std::array<std::pair<std::string_view, TextForm>, 4> kForms = {
        {{"hex", TextForm::hex},
         {"base64", TextForm::base64},
         {"base64raw", TextForm::base64raw},
         {"json", TextForm::json}}};
    for (const auto& [name, form] : kForms) {
      if (modifier != name || (form == TextForm::json && use_ == FormatUse::print)) continue;
      item.text = form;
      return {};
    }
    const auto pattern = modifier.starts_with("unpack") ? bracketed(modifier.substr(6)) : std::nullopt;
    if (!pattern || use_ == FormatUse::read) {
      return refuse(fmt::format("{{{}}} is no form of {}; text has hex, base64, base64raw, {}", modifier,
                                verb_name(item.verb), use_ == FormatUse::print ? "unpack[...]" : "json"));
    }
    if (auto valid = check_unpack(*pattern); !valid) return refuse(valid.error().message);
    item.text = TextForm::unpack;
    item.literal = *pattern;
    return {};
  }

  // Whether the modifier was one of time.
  bool modify_time(FormatItem& item, std::string_view modifier) const {
    if (use_ == FormatUse::read) return false;
    if (modifier == "rfc3339") {
      item.time = TimeForm::rfc3339;
      return true;
    }
    const bool is_strftime = modifier.starts_with("strftime");
    if (!is_strftime && !modifier.starts_with("go")) return false;
    const auto pattern = bracketed(modifier.substr(is_strftime ? 8 : 2));
    if (!pattern) return false;
    item.time = is_strftime ? TimeForm::strftime : TimeForm::go;
    item.literal = *pattern;
    return true;
  }

  std::string_view format_;
  std::string_view rest_;
  FormatUse use_;
};

}  // namespace

Result<std::vector<FormatItem>> parse_format(std::string_view format, FormatUse use) {
  return FormatParser(format, use).items(false);
}

bool is_text(Verb verb) {
  return verb == Verb::topic || verb == Verb::key || verb == Verb::value;
}

bool is_number(Verb verb) {
  return verb != Verb::literal && verb != Verb::headers && verb != Verb::attribute && !is_text(verb);
}

std::string verb_name(Verb verb) {
  for (const auto& [letter, known] : kLetters) {
    if (known == verb) return std::string("%") + letter;
  }
  return "a literal";
}

}  // namespace tailwater::apps::cli

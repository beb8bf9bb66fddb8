#include "apps/cli/format_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <span>

#include "apps/cli/json_scan.hpp"
#include "apps/cli/number_reader.hpp"
#include "apps/cli/text_encoding.hpp"

namespace tailwater::apps::cli {

namespace {

constexpr std::int64_t kHeadersMax = 100'000;

Verb text_of(Verb size) {
  return size == Verb::topic_size ? Verb::topic : size == Verb::key_size ? Verb::key : Verb::value;
}

bool is_size(Verb verb) {
  return verb == Verb::topic_size || verb == Verb::key_size || verb == Verb::value_size;
}

// The size verb of a text stands before it, or the text ends at a literal or at the format's end, or is JSON.
Result<void> check_texts(const std::vector<FormatItem>& items, bool nested) {
  for (std::size_t index = 0; index < items.size(); ++index) {
    const FormatItem& item = items[index];
    const auto before = std::span(items).first(index);
    if (item.verb == Verb::headers) {
      const bool counted = std::any_of(before.begin(), before.end(), [](const FormatItem& each) {
        return each.verb == Verb::header_count;
      });
      if (!counted)
        return fail(Errc::invalid_argument, "-f: to read %h, say before it how many there are: %H %h{...}");
      if (auto inner = check_texts(item.nested, true); !inner) return inner;
    }
    if (!is_text(item.verb) || item.text == TextForm::json) continue;
    const bool sized = std::any_of(before.begin(), before.end(), [&](const FormatItem& each) {
      return is_size(each.verb) && text_of(each.verb) == item.verb;
    });
    const bool is_last = index + 1 == items.size();
    if (sized || (is_last && !nested) || (!is_last && items[index + 1].verb == Verb::literal)) continue;
    return fail(
        Errc::invalid_argument,
        fmt::format("-f: where does {} end? Put a delimiter behind it, or its size before it (%K, %V)",
                    verb_name(item.verb)));
  }
  return {};
}

bool is_delimited_line(const std::vector<FormatItem>& items) {
  if (items.empty() || items.back().verb != Verb::literal) return false;
  return std::all_of(items.begin(), items.end(), [](const FormatItem& item) {
    const bool binary = is_number(item.verb) && item.number.kind != NumberForm::Kind::ascii;
    return !is_size(item.verb) && item.verb != Verb::headers && item.text != TextForm::json && !binary;
  });
}

Result<void> expect(ByteStream& stream, std::string_view literal) {
  const auto text = stream.take(literal.size());
  if (text && *text == literal) return {};
  return fail(Errc::malformed,
              fmt::format("'{}' is expected, and {}", printable(literal),
                          text ? fmt::format("'{}' is there", printable(*text)) : "the input ends"));
}

// How a text ends whose size is not known. An empty literal: at the end of the input.
struct Delimiter {
  std::string_view literal;
  bool may_lack_at_end = false;
};

Result<std::string_view> read_delimited(ByteStream& stream, const FormatItem& item,
                                        const Delimiter& delimiter) {
  if (delimiter.literal.empty()) return stream.take_rest();
  auto text = stream.take_until(delimiter.literal);
  if (!text) return std::unexpected(text.error());
  if (*text) return **text;
  if (delimiter.may_lack_at_end) return stream.take_rest();
  return fail(Errc::malformed,
              fmt::format("there is no '{}' behind {}", printable(delimiter.literal), verb_name(item.verb)));
}

// Bytes that `size` decoded bytes take in the stream.
std::size_t encoded_size(TextForm form, std::size_t size) {
  switch (form) {
    case TextForm::hex:
      return 2 * size;
    case TextForm::base64:
      return base64_size(size, Padding::with);
    case TextForm::base64raw:
      return base64_size(size, Padding::without);
    default:
      return size;
  }
}

Result<std::string> decode_text(const FormatItem& item, std::string_view text) {
  if (item.text == TextForm::plain) return std::string(text);
  auto decoded = item.text == TextForm::hex ? from_hex(text) : from_base64(text);
  if (decoded) return *std::move(decoded);
  return fail(Errc::malformed,
              fmt::format("{}: '{}' is no {}", verb_name(item.verb), printable(text.substr(0, 60)),
                          item.text == TextForm::hex ? "hex" : "base64"));
}

// A key or a value; nullopt stands for null.
Result<std::optional<std::string>> read_text(ByteStream& stream, const FormatItem& item, std::int64_t size,
                                             const Delimiter& delimiter) {
  if (size == -1) return std::nullopt;
  if (item.text == TextForm::json) return take_json(stream);
  if (size >= 0 && static_cast<std::uint64_t>(size) > ByteStream::kRecordMax) {
    return fail(Errc::too_large, fmt::format("{} is said to have {} bytes", verb_name(item.verb), size));
  }
  const auto text = size >= 0 ? stream.take(encoded_size(item.text, static_cast<std::size_t>(size)))
                              : read_delimited(stream, item, delimiter);
  if (!text) return std::unexpected(text.error());
  return decode_text(item, *text);
}

}  // namespace

// Where the parts of a record, or of one header, go.
struct FormatReader::Target {
  std::optional<std::string>& key;
  std::optional<std::string>& value;
  InputRecord* record;  // null within a header
};

std::int64_t FormatReader::Sizes::of(Verb text) const {
  return text == Verb::topic ? topic : text == Verb::key ? key : value;
}

Result<FormatReader> FormatReader::make(std::string_view format) {
  auto items = parse_format(format, FormatUse::read);
  if (!items) return std::unexpected(items.error());
  if (items->empty()) return fail(Errc::invalid_argument, "-f: an empty format reads nothing");
  if (auto checked = check_texts(*items, false); !checked) return std::unexpected(checked.error());
  FormatReader reader(std::move(*items));
  if (is_delimited_line(reader.items_)) {
    reader.line_end_ = std::move(reader.items_.back().literal);
    reader.items_.pop_back();
  }
  return reader;
}

Result<bool> FormatReader::next(ByteStream& stream, InputRecord& record) {
  if (stream.at_end()) return false;
  ++count_;
  record.key.reset();
  record.value.reset();
  record.headers.clear();
  record.partition.reset();
  record.timestamp.reset();
  Result<bool> outcome = true;
  if (!line_end_.empty()) {
    outcome = next_line(stream, record);
  } else {
    Sizes sizes;
    Target target{record.key, record.value, &record};
    if (auto read = read_items(stream, items_, sizes, target); !read) outcome = std::unexpected(read.error());
  }
  if (!outcome)
    return fail(outcome.error().code, fmt::format("record {}: {}", count_, outcome.error().message));
  return outcome;
}

Result<bool> FormatReader::next_line(ByteStream& stream, InputRecord& record) {
  auto line = stream.take_until(line_end_);
  if (!line) return std::unexpected(line.error());
  std::string_view text;
  if (*line) {
    text = **line;
  } else {
    auto rest = stream.take_rest();
    if (!rest) return std::unexpected(rest.error());
    text = *rest;
  }
  // By far the most frequent format needs no further stream.
  if (items_.size() == 1 && items_[0].verb == Verb::value && items_[0].text == TextForm::plain) {
    record.value.emplace(text);
    return true;
  }
  ByteStream inner = ByteStream::of(text);
  Sizes sizes;
  Target target{record.key, record.value, &record};
  if (auto read = read_items(inner, items_, sizes, target); !read) return std::unexpected(read.error());
  if (!inner.at_end()) return fail(Errc::malformed, "there is more on the line than the format says");
  return true;
}

Result<void> FormatReader::read_items(ByteStream& stream, const std::vector<FormatItem>& items, Sizes& sizes,
                                      Target& target) {
  for (std::size_t index = 0; index < items.size(); ++index) {
    const FormatItem& item = items[index];
    if (item.verb == Verb::literal) {
      const bool is_last = index > 0 && index + 1 == items.size() && target.record != nullptr;
      if (is_last && stream.at_end()) return {};
      if (auto matched = expect(stream, item.literal); !matched) return matched;
    } else if (item.verb == Verb::headers) {
      if (auto read = read_headers(stream, item, sizes, target); !read) return read;
    } else if (is_text(item.verb)) {
      const std::int64_t size = sizes.of(item.verb);
      const bool delimited = size == kUnknown && item.text != TextForm::json && index + 1 < items.size();
      const Delimiter delimiter{delimited ? items[index + 1].literal : std::string_view{},
                                index + 2 == items.size() && target.record != nullptr};
      auto text = read_text(stream, item, size, delimiter);
      if (!text) return std::unexpected(text.error());
      if (item.verb == Verb::key) target.key = std::move(*text);
      if (item.verb == Verb::value) target.value = std::move(*text);
      if (delimited) ++index;
    } else {
      if (auto read = read_number_item(stream, item, sizes, target); !read) return read;
    }
  }
  return {};
}

Result<void> FormatReader::read_number_item(ByteStream& stream, const FormatItem& item, Sizes& sizes,
                                            Target& target) {
  const bool size = is_size(item.verb) || item.verb == Verb::header_count;
  const auto number = size ? read_size(stream, item.number) : read_number(stream, item.number);
  if (!number) {
    return fail(number.error().code, fmt::format("{}: {}", verb_name(item.verb), number.error().message));
  }
  switch (item.verb) {
    case Verb::topic_size:
      sizes.topic = *number;
      break;
    case Verb::key_size:
      sizes.key = *number;
      break;
    case Verb::value_size:
      sizes.value = *number;
      break;
    case Verb::header_count:
      sizes.headers = *number;
      break;
    case Verb::timestamp:
      if (*number >= 0) target.record->timestamp = *number;
      break;
    case Verb::partition:
      if (*number < 0 || *number > INT32_MAX)
        return fail(Errc::malformed, fmt::format("%p: there is no partition {}", *number));
      target.record->partition = static_cast<std::int32_t>(*number);
      break;
    default:
      break;  // offsets and the like say where a record was, not where it goes
  }
  return {};
}

Result<void> FormatReader::read_headers(ByteStream& stream, const FormatItem& item, const Sizes& sizes,
                                        Target& target) {
  if (sizes.headers < 0 || sizes.headers > kHeadersMax) {
    return fail(Errc::malformed, fmt::format("%H: {} headers are not possible", sizes.headers));
  }
  for (std::int64_t count = 0; count < sizes.headers; ++count) {
    std::optional<std::string> key;
    InputRecord::Header header;
    Sizes inner;
    Target inner_target{key, header.value, nullptr};
    if (auto read = read_items(stream, item.nested, inner, inner_target); !read) return read;
    header.key = std::move(key).value_or("");
    target.record->headers.push_back(std::move(header));
  }
  return {};
}

}  // namespace tailwater::apps::cli

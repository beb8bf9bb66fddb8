#include "apps/cli/json_scan.hpp"

namespace tailwater::apps::cli {

namespace {

bool is_space(char letter) {
  return letter == ' ' || letter == '\t' || letter == '\n' || letter == '\r';
}

std::unexpected<Error> cut_off() {
  return fail(Errc::truncated, "the input ends within a JSON value");
}

// Size of the object, array or string at the front.
Result<std::size_t> bracketed_size(ByteStream& stream) {
  std::size_t depth = 0;
  bool in_string = false;
  for (std::size_t size = 0;; ++size) {
    const auto letter = stream.peek(size);
    if (!letter) return cut_off();
    if (in_string) {
      if (*letter == '\\') ++size;
      if (*letter == '"') in_string = false;
    } else if (*letter == '"') {
      in_string = true;
    } else if (*letter == '{' || *letter == '[') {
      ++depth;
    } else if ((*letter == '}' || *letter == ']') && depth > 0) {
      --depth;
    }
    if (depth == 0 && !in_string) return size + 1;
  }
}

std::size_t word_size(ByteStream& stream) {
  for (std::size_t size = 0;; ++size) {
    const auto letter = stream.peek(size);
    if (!letter || is_space(*letter) || *letter == ',' || *letter == '}' || *letter == ']') return size;
  }
}

}  // namespace

bool skip_space(ByteStream& stream) {
  while (!stream.at_end() && is_space(stream.front())) {
    if (!stream.take(1)) return false;
  }
  return !stream.at_end();
}

Result<std::string> take_json(ByteStream& stream) {
  if (!skip_space(stream)) return cut_off();
  const char first = stream.front();
  std::size_t size = 0;
  if (first == '{' || first == '[' || first == '"') {
    const auto bracketed = bracketed_size(stream);
    if (!bracketed) return std::unexpected(bracketed.error());
    size = *bracketed;
  } else {
    size = word_size(stream);
    if (size == 0) size = 1;  // a stray bracket: the parser refuses it
  }
  const auto text = stream.take(size);
  if (!text) return std::unexpected(text.error());
  return std::string(*text);
}

}  // namespace tailwater::apps::cli

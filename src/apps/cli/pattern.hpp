// An extended regular expression of POSIX, found anywhere in bytes, which may hold zeros.
#pragma once

#include <regex.h>

#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace tailwater::apps::cli {

class Pattern {
 public:
  // `option` is named in the error.
  static Result<Pattern> make(const std::string& expression, std::string_view option);
  bool found_in(std::string_view bytes) const;

 private:
  struct Freer {
    void operator()(regex_t* compiled) const;
  };
  explicit Pattern(std::unique_ptr<regex_t, Freer> compiled) : compiled_(std::move(compiled)) {}
  std::unique_ptr<regex_t, Freer> compiled_;
};

}  // namespace tailwater::apps::cli

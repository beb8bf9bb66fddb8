// For the disk's tests: memory aligned for direct transfers, and a disk that is
// driven one batch at a time.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "shell/disk/disk.hpp"
#include "shell/disk/log_directory.hpp"
#include "support/temporary_folder.hpp"

namespace tailwater::shell {

class Aligned {
 public:
  explicit Aligned(std::size_t size, int fill = 0)
      : memory_(static_cast<std::byte*>(std::aligned_alloc(kDiskBlock, size))), size_(size) {
    std::memset(memory_.get(), fill, size);
  }
  std::byte* data() { return memory_.get(); }
  std::size_t size() const { return size_; }
  Bytes bytes() const { return {memory_.get(), size_}; }
  MutableBytes room() { return {memory_.get(), size_}; }
  bool is_all(std::size_t from, std::size_t to, int value) const {
    for (std::size_t i = from; i < to; ++i) {
      if (memory_.get()[i] != static_cast<std::byte>(value)) return false;
    }
    return true;
  }

 private:
  struct Free {
    void operator()(std::byte* memory) const { std::free(memory); }
  };
  std::unique_ptr<std::byte, Free> memory_;
  std::size_t size_;
};

// Makes ops with growing tokens, submits them as one batch, and collects the completions by token.
class Driver {
 public:
  explicit Driver(Disk& disk) : disk_(disk) {}

  DiskOp& add(DiskOpKind kind) {
    DiskOp& op = batch_.emplace_back();
    op.kind = kind;
    op.token = DiskToken{next_++};
    return op;
  }
  DiskOp& add_open(std::uint64_t file, std::string path, bool direct = true) {
    DiskOp& op = add(DiskOpKind::open);
    op.file = FileId{file};
    op.path = std::move(path);
    op.create = true;
    op.direct = direct;
    return op;
  }
  DiskOp& add_file(DiskOpKind kind, std::uint64_t file) {
    DiskOp& op = add(kind);
    op.file = FileId{file};
    return op;
  }
  DiskOp& add_write(std::uint64_t file, std::uint64_t at, Bytes bytes) {
    DiskOp& op = add_file(DiskOpKind::write, file);
    op.at = at;
    op.pieces = {bytes};
    return op;
  }
  DiskOp& add_read(std::uint64_t file, std::uint64_t at, MutableBytes memory) {
    DiskOp& op = add_file(DiskOpKind::read, file);
    op.at = at;
    op.memory = memory;
    return op;
  }
  DiskOp& add_path(DiskOpKind kind, std::string path, std::string path2 = {}) {
    DiskOp& op = add(kind);
    op.path = std::move(path);
    op.path2 = std::move(path2);
    return op;
  }

  void submit() { disk_.submit(std::move(batch_)); }
  // Submits the batch and waits for everything. Every token comes back once, and only tokens of this driver
  // do.
  std::vector<DiskDone>& run() {
    const std::uint64_t before = reported_;
    submit();
    completed_.clear();
    disk_.drain(completed_);
    std::map<std::uint64_t, int> seen;
    for (const DiskDone& done : completed_) ++seen[done.token.value];
    for (std::uint64_t token = before; token < next_; ++token) EXPECT_EQ(seen[token], 1) << "token " << token;
    EXPECT_EQ(completed_.size(), next_ - before);
    reported_ = next_;
    return completed_;
  }
  // The completion of the n-th op of the batch that ran last.
  const DiskDone& done(std::size_t index) const {
    const std::uint64_t token = reported_ - completed_.size() + index;
    for (const DiskDone& done : completed_) {
      if (done.token.value == token) return done;
    }
    static const DiskDone none{.outcome = fail(Errc::storage, "no such completion")};
    return none;
  }
  // Runs the batch, expects all to succeed, and gives the last one's outcome.
  std::uint64_t run_well() {
    run();
    for (const DiskDone& done : completed_) {
      EXPECT_TRUE(done.outcome.has_value()) << (done.outcome ? "" : done.outcome.error().message);
    }
    return done(completed_.size() - 1).outcome.value_or(0);
  }
  Error run_badly() {
    run();
    const DiskDone& last = done(completed_.size() - 1);
    EXPECT_FALSE(last.outcome.has_value());
    return last.outcome ? Error{} : last.outcome.error();
  }

 private:
  Disk& disk_;
  std::vector<DiskOp> batch_;
  std::vector<DiskDone> completed_;
  std::uint64_t next_ = 1;
  std::uint64_t reported_ = 1;
};

inline std::string read_text(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return "(absent)";
  std::string text;
  char buffer[4096];
  for (std::size_t got = 0; (got = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, got);
  std::fclose(file);
  return text;
}

inline Buffer to_buffer(std::string_view text) {
  const Bytes bytes = as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

}  // namespace tailwater::shell

// Goal: the limit program does the work that it stands for: what is acknowledged is on the disk, what is
// fetched is what was sent, and memory is bounded. Method: the requests of `load`, without sockets, and files
// of our own.
#include "programs/limit/broker.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "programs/load/fetch.hpp"
#include "programs/load/requests.hpp"
#include "support/temporary_folder.hpp"
#include "wire/api/create_topics.hpp"

namespace tailwater::limit {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kFileBytes = std::size_t{3} << 20;

class LimitTest : public testing::Test {
 protected:
  LimitTest() {
    plan_.topic = "load";
    plan_.partitions = 2;
  }
  ~LimitTest() override {
    broker_.reset();
    files_.reset();
    ::close(wake_);
  }
  void start(Mode mode, std::size_t memory) {
    files_ = std::make_unique<Files>(root_ / "files", wake_, std::size_t{8} << 20);
    broker_ = std::make_unique<Broker>(mode, std::uint16_t{1}, *files_, memory, kFileBytes);
    wire::CreateTopicsRequest request;
    request.topics.push_back({.name = plan_.topic, .num_partitions = 2, .replication_factor = 1});
    Buffer frame;
    load::write_frame(frame, 4, request);
    take(frame);
    EXPECT_FALSE(answers(client_).empty());
  }
  void take(Bytes frame) { broker_->take(client_, frame.subspan(4), 0); }
  // Sends what is due, waits for it, and handles what has ended.
  void turn() {
    broker_->end_turn(0);
    pollfd wait{.fd = wake_, .events = POLLIN, .revents = 0};
    ASSERT_EQ(::poll(&wait, 1, 10'000), 1);
    std::uint64_t count = 0;
    ASSERT_EQ(::read(wake_, &count, sizeof count), static_cast<ssize_t>(sizeof count));
    files_->complete();
    broker_->end_turn(0);
  }
  // Frames that went out, without their sizes.
  std::vector<Buffer> answers(Client& client) {
    Buffer all;
    std::vector<std::uint64_t> released;
    session::ResponsePool spare;
    while (!client.out.empty()) {
      Bytes piece;
      client.out.gather({&piece, 1});
      all.insert(all.end(), piece.begin(), piece.end());
      client.out.sent(piece.size(), released, spare);
    }
    for (const std::uint64_t token : released) broker_->released(token);
    std::vector<Buffer> frames;
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t size = load_big<std::uint32_t>(all.data() + at);
      frames.emplace_back(all.begin() + static_cast<std::ptrdiff_t>(at + 4),
                          all.begin() + static_cast<std::ptrdiff_t>(at + 4 + size));
      at += 4 + size;
    }
    return frames;
  }
  // Whether some file below the folder holds the bytes.
  bool is_on_disk(const std::string& file, Bytes bytes) {
    std::ifstream stream(root_ / "files" / file, std::ios::binary);
    const std::string content{std::istreambuf_iterator<char>(stream), {}};
    return content.find(as_text(bytes)) != std::string::npos;
  }
  static Bytes tail_of(Bytes request) { return request.last(64); }

  TemporaryFolder folder_;
  fs::path root_ = folder_.path();
  int wake_ = ::eventfd(0, EFD_CLOEXEC);
  load::Plan plan_;
  std::unique_ptr<Files> files_;
  std::unique_ptr<Broker> broker_;
  Client client_;
};

TEST_F(LimitTest, ASmallBatchIsInTheJournalBeforeItsAnswer) {
  start(Mode::durable, 64 << 20);
  const Buffer request = load::produce_request(plan_, 0);
  take(request);
  EXPECT_TRUE(client_.out.empty());
  turn();
  const auto answered = answers(client_);
  ASSERT_EQ(answered.size(), 1);
  std::string problem;
  EXPECT_TRUE(load::is_success(answered[0], problem)) << problem;
  EXPECT_TRUE(is_on_disk("journal", tail_of(request)));
}

TEST_F(LimitTest, ALargeBatchIsInItsFileBeforeItsAnswer) {
  plan_.records = 256;
  plan_.record_bytes = 1024;
  start(Mode::durable, 64 << 20);
  const Buffer request = load::produce_request(plan_, 1);
  take(request);
  turn();                           // the file
  if (client_.out.empty()) turn();  // the frame
  EXPECT_EQ(answers(client_).size(), 1);
  EXPECT_TRUE(is_on_disk("load-1", tail_of(request)));
}

TEST_F(LimitTest, AFileIsAsLongAsItIsSaidAndComesRound) {
  plan_.records = 256;
  plan_.record_bytes = 1024;
  start(Mode::durable, 64 << 20);
  for (int round = 0; round < 12; ++round) {
    take(load::produce_request(plan_, 0));
    while (client_.out.empty()) turn();
    EXPECT_EQ(answers(client_).size(), 1);
  }
  const fs::path file = root_ / "files/load-0";
  EXPECT_EQ(fs::file_size(file), kFileBytes);
  std::array<char, 8> first{};
  std::ifstream(file, std::ios::binary).read(first.data(), first.size());
  EXPECT_EQ(load_big<std::int64_t>(reinterpret_cast<const std::byte*>(first.data())), 11 * plan_.records);
}

TEST_F(LimitTest, EchoOnlyAnswersAndCounts) {
  start(Mode::echo, 64 << 20);
  take(load::produce_request(plan_, 0));
  EXPECT_EQ(answers(client_).size(), 1);
  EXPECT_FALSE(fs::exists(root_ / "files/load-0"));
}

TEST_F(LimitTest, AWrongChecksumIsNoticed) {
  start(Mode::durable, 64 << 20);
  Buffer request = load::produce_request(plan_, 0);
  request.back() ^= std::byte{1};
  EXPECT_THROW(take(request), std::runtime_error);
}

TEST_F(LimitTest, WhatIsFetchedIsWhatWasSent) {
  start(Mode::durable, 64 << 20);
  Client reader;
  load::Fetch fetch(plan_, {.topic = {.high = 0, .low = 1}, .begins = {0, 0}, .ends = {}}, nullptr);
  const auto ask = [&] { broker_->take(reader, Bytes(fetch.next()).subspan(4), 0); };
  ask();
  EXPECT_TRUE(reader.out.empty());
  std::uint64_t records = 0;
  for (std::uint32_t round = 0; round < 40; ++round) {
    take(load::produce_request(plan_, round));
    turn();
    const auto answered = answers(reader);
    ASSERT_EQ(answered.size(), 1) << round;
    ASSERT_EQ(fetch.hear(answered[0], 0), load::Script::Heard::done) << fetch.problem();
    records += fetch.records();
    ask();
  }
  EXPECT_EQ(records, 40);
}

TEST_F(LimitTest, TheOldestGoesWhenMemoryIsFull) {
  plan_.records = 256;
  plan_.record_bytes = 1024;
  start(Mode::durable, 4 << 20);
  for (int round = 0; round < 40; ++round) {
    take(load::produce_request(plan_, 0));
    while (client_.out.empty()) turn();
    EXPECT_EQ(answers(client_).size(), 1);
  }
  Client reader;
  load::Fetch fetch(plan_, {.topic = {.high = 0, .low = 1}, .begins = {0, 0}, .ends = {}}, nullptr);
  broker_->take(reader, Bytes(fetch.next()).subspan(4), 0);
  const auto answered = answers(reader);
  ASSERT_EQ(answered.size(), 1);
  EXPECT_EQ(fetch.hear(answered[0], 0), load::Script::Heard::wrong);  // its first batch is not the first
}

}  // namespace
}  // namespace tailwater::limit

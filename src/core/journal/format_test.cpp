// Goal: headers survive encoding, no single flipped bit passes, and a payload that lies about its entries is
// refused. Method: round trips, every bit of a header flipped, every prefix of a payload.
#include "core/journal/format.hpp"

#include <gtest/gtest.h>

namespace tailwater::journal {
namespace {

EntryHeader some_entry() {
  return {.log = LogId{0x1122334455667788},
          .kind = EntryKind::batches,
          .head_length = 5,
          .length = 11,
          .segment_base = 1'000'000'000'000,
          .position = 0xfffffff0u,
          .argument = 7,
          .base_offset = 1'000'000'000'123};
}

TEST(Format, EntryRoundTrip) {
  std::byte room[kEntryHeaderSize];
  encode(some_entry(), room);
  EXPECT_EQ(decode_entry(room), some_entry());
}

TEST(Format, FrameHeaderRoundTripAndEveryFlippedBitIsSeen) {
  FrameHeader header{.journal_id = 42,
                     .lsn = Lsn{1 << 20},
                     .settled = Lsn{1 << 19},
                     .incarnation = 3,
                     .payload_bytes = 99,
                     .entry_count = 2,
                     .prev_header_crc = 17,
                     .payload_crc = 18};
  std::byte room[kFrameHeaderSize];
  header.header_crc = encode(header, room);
  EXPECT_EQ(decode_frame(room), header);
  for (std::size_t bit = 0; bit < 8 * kFrameHeaderSize; ++bit) {
    room[bit / 8] ^= std::byte(1u << (bit % 8));
    EXPECT_FALSE(decode_frame(room)) << "bit " << bit;
    room[bit / 8] ^= std::byte(1u << (bit % 8));
  }
  EXPECT_FALSE(decode_frame(Bytes(room).first(kFrameHeaderSize - 1)));
}

TEST(Format, CursorWalksEntriesAndRefusesEveryPrefix) {
  Buffer payload(2 * kEntryHeaderSize + 16 + 3);
  EntryHeader first = some_entry();
  EntryHeader second = some_entry();
  second.length = 3;
  second.head_length = 0;
  encode(first, payload.data());
  encode(second, payload.data() + kEntryHeaderSize + 16);

  EntryCursor whole(payload, 2);
  EXPECT_EQ(whole.next()->header, first);
  EXPECT_EQ(whole.next()->content.size(), 3u);
  EXPECT_FALSE(whole.next());
  EXPECT_FALSE(whole.failed());

  for (std::size_t size = 0; size < payload.size(); ++size) {
    EntryCursor cut(Bytes(payload).first(size), 2);
    while (cut.next()) {
    }
    EXPECT_TRUE(cut.failed()) << size;
  }
}

TEST(Format, AHeadLongerThanItsEntryIsRefused) {
  Buffer payload(kEntryHeaderSize + 16);
  EntryHeader entry = some_entry();
  entry.head_length = 12;
  encode(entry, payload.data());
  EntryCursor cursor(payload, 1);
  EXPECT_FALSE(cursor.next());
  EXPECT_TRUE(cursor.failed());
}

}  // namespace
}  // namespace tailwater::journal

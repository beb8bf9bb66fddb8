// The recent batches of one partition, in memory that is also what its file is written from.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.hpp"
#include "base/uuid.hpp"
#include "programs/limit/files.hpp"

namespace tailwater::limit {

struct Partition;

struct Chunk {
  Chunk(Partition& owner_of_it, std::size_t bytes) : owner(&owner_of_it), memory(bytes) {}
  Partition* owner;
  BlockMemory memory;
  std::size_t size = 0;  // of batches in it
  std::uint32_t pins = 0;
  bool is_written = false;
};

struct Entry {
  std::int64_t offset = 0;
  std::int64_t next = 0;
  Chunk* chunk = nullptr;
  Bytes bytes;
};

struct Partition {
  std::int32_t number = 0;
  std::int64_t end = 0;
  std::int64_t durable_end = 0;
  std::deque<Entry> entries;
  Chunk* open = nullptr;  // takes batches
  int file = -1;
  std::size_t file_size = 0;
  std::uint64_t at = 0;     // in the file
  bool is_writing = false;  // a file takes one write at a time
  std::deque<std::pair<Chunk*, Files::Done>> to_write;
};

struct Topic {
  std::string name;
  Uuid id;
  std::vector<std::unique_ptr<Partition>> partitions;
};

// All partitions' memory and files. A chunk is written when it is full; a large batch has one of its own. A file has
// `file_bytes` at most, and is written from its beginning again when it is full.
class Partitions {
 public:
  Partitions(Files& files, std::size_t memory_max, std::size_t file_bytes)
      : files_(files), memory_max_(memory_max), file_bytes_(file_bytes) {}

  void make_files(Topic& topic);
  // Appends the batch, which gets the next offsets; true if it is a large one, whose chunk is being written:
  // `written` is called then, otherwise never.
  bool append(Partition& partition, Bytes batch, std::int32_t records, Files::Done written);
  // Batches from `offset` on that are durable, `bytes_max` of them and at least one if `whole`; each piece
  // pins its chunk.
  struct Piece {
    Bytes bytes;
    Chunk* chunk = nullptr;
  };
  std::size_t read(Partition& partition, std::int64_t offset, std::size_t bytes_max, bool whole,
                   std::vector<Piece>& pieces);
  void unpin(Chunk* chunk) { --chunk->pins; }

 private:
  Chunk& make_chunk(Partition& partition, std::size_t bytes);
  void write(Partition& partition, Chunk& chunk, Files::Done done);
  void write_next(Partition& partition);
  void shrink();

  Files& files_;
  const std::size_t memory_max_;
  const std::size_t file_bytes_;
  std::size_t memory_ = 0;
  std::size_t chunk_bytes_ = std::size_t{1} << 20;
  std::deque<std::unique_ptr<Chunk>> chunks_;  // the oldest first
  std::vector<std::unique_ptr<Chunk>> spare_;  // of the usual size
};

}  // namespace tailwater::limit

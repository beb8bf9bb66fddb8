// Makes a journal's manifest anew when the one that counts is damaged or gone: who the logs are comes from
// the manifest before it, what they hold from their segments.
#pragma once

#include <cstdint>
#include <string>

#include "apps/log/folder.hpp"
#include "core/log/manifest.hpp"

namespace tailwater::apps::logtools {

struct FoundState {
  log::Manifest state;
  std::string source;   // the file that says who the logs are
  std::string summary;  // for the user
};

// Refuses, with the reason, where something that was acknowledged might be left out: the journal is not empty
// (its entries cannot be told from what the segments have already), a superblock is not that of a clean stop,
// a log has no folder, a folder has no log, or a segment is damaged.
Result<FoundState> find_state(Folder& folder, const std::string& journal);

}  // namespace tailwater::apps::logtools

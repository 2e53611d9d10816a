// SPDX-License-Identifier: MIT
//
// Asks servers what the manifest does not say: sizes at the first lookup, with the first bytes
// where they are likely read next, and at open whether an older version still stands.  One probe
// for all who ask at the same time.
//
// Any thread.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fs/answer.h"
#include "fs/beginnings.h"
#include "fs/files.h"

namespace skimfs::fs {

class Resolver {
 public:
  // Told on a lane's thread how it went.
  using Then = std::function<void(std::error_code)>;
  // A version has ended.
  using Ended = std::function<void(Inode)>;

  // References live longer than every probe.
  Resolver(Files& files, Beginnings& beginnings, fetch::Fetching& fetching,
           const fetch::Clock& clock, Ended ended);

  // Learns the size of a file for which the manifest states none.
  void size(FileNumber number, Then then);
  // Learns whether the present version behind `inode` is still what the server has.  Trouble on the
  // way counts as yes, and so do a page of somebody in between and a mirror with another version;
  // `changed` only when two answers of a source that speaks for the object agree on the same other
  // version.  For files that are one object.
  void revalidate(Inode inode, Then then);

  std::uint64_t probes() const noexcept { return probes_; }

 private:
  class Probe;
  enum class Aim { size, revalidate };

  void ask(Aim aim, Inode inode, Then then);
  // What a source said of the version.
  struct Word {
    std::size_t source = 0;
    fetch::Version seen;
    friend bool operator==(const Word&, const Word&) = default;
  };

  void send(Aim aim, Inode inode, std::optional<Word> first_answer);
  std::shared_ptr<fetch::RangeSink> taker(FileNumber number, const Word& word, std::uint64_t bytes,
                                          Beginnings::Room room);
  // Empty: a probe is on its way.  Else what there is to say without one.
  std::optional<std::error_code> probe(Aim aim, Inode inode, std::optional<Word> first_answer);
  void answered(Aim aim, Inode inode, std::error_code outcome, const Word& word,
                const std::optional<Word>& first_answer);
  std::error_code sized(FileNumber number, std::error_code outcome, const Word& word);
  std::error_code compare(Inode inode, std::error_code outcome, const Word& word,
                          const std::optional<Word>& first_answer, bool& again);
  void settle(Aim aim, Inode inode, std::error_code outcome);

  Files& files_;
  Beginnings& beginnings_;
  fetch::Fetching& fetching_;
  const fetch::Clock& clock_;
  const Ended ended_;
  std::atomic<std::uint64_t> probes_{0};
  std::mutex mutex_;
  std::map<std::pair<Aim, Inode>, std::vector<Then>> asking_;  // guarded by mutex_
};

}  // namespace skimfs::fs

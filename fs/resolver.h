// SPDX-License-Identifier: MIT
//
// Asks servers what the manifest does not say: sizes at the first lookup or before it, with the
// first bytes where they are likely read next, and at open whether an older version still stands.
// One probe for all who ask at the same time.
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
  // Told how it went: on a lane's thread, or on that of whoever asks, before his call returns.
  // Does not throw: others wait behind it.
  using Then = std::function<void(std::error_code)>;
  // A version has ended.  May throw std::bad_alloc.
  using Ended = std::function<void(Inode)>;

  // References live longer than every probe.
  Resolver(Files& files, Beginnings& beginnings, fetch::Fetching& fetching,
           const fetch::Clock& clock, Ended ended);

  // Learns the size of a file for which the manifest states none.  Like revalidate(), throws
  // std::bad_alloc, and then `then` is not called.
  void size(FileNumber number, Then then);
  // The same, before anybody asks; given up when `worth` has ended by the time that it could be
  // sent.  Who asks meanwhile joins it.
  void size_early(FileNumber number, const std::weak_ptr<const void>& worth);
  // Learns whether the present version behind `inode` is still what the server has.  Trouble on the
  // way counts as yes, and so do a page of somebody in between and a mirror with another version;
  // `changed` only when two answers of a source that speaks for the object agree on the same other
  // version.  For files that are one object.
  void revalidate(Inode inode, Then then);

  // Is its size being asked for?  Once it is known, and this is over, the blocks of a beginning
  // that comes with it are claimed.
  bool asks_size(FileNumber number) const;

  std::uint64_t probes() const noexcept { return probes_; }

 private:
  class Probe;
  enum class Aim { size, revalidate };

  // What a source said of the version.
  struct Word {
    std::size_t source = 0;
    fetch::Version seen;
    friend bool operator==(const Word&, const Word&) = default;
  };
  struct Question {
    Aim aim;
    Inode inode;
    std::weak_ptr<const void> worth;  // while it lives an answer is
    bool early = false;               // nobody waited when it was asked
    fetch::OrderId id;
    std::optional<Word> first_answer = {};
  };
  struct Asked {
    std::vector<Then> waiting;
    fetch::OrderId early = 0;  // of a question for which nobody has waited yet
  };

  void ask(Aim aim, Inode inode, Then then);
  Question demand(Aim aim, Inode inode, std::optional<Word> first_answer = {});
  void send(const Question& question) noexcept;
  // Empty: a probe is on its way.  Else what there is to say without one.
  std::optional<std::error_code> probe(const Question& question);
  std::optional<std::error_code> answer_at_hand(FileNumber number) const;
  bool awaited(const Question& question) const;
  std::shared_ptr<fetch::RangeSink> taker(const Question& question, const Word& word,
                                          std::uint64_t bytes, Beginnings::Room room);
  void answered(const Question& question, std::error_code outcome, std::size_t source,
                const fetch::Version& seen) noexcept;
  std::error_code sized(const Question& question, std::error_code outcome, const Word& word);
  std::error_code compare(const Question& question, std::error_code outcome, const Word& word,
                          bool& again);
  void settle(const Question& question, std::error_code outcome) noexcept;

  Files& files_;
  Beginnings& beginnings_;
  fetch::Fetching& fetching_;
  const fetch::Clock& clock_;
  const Ended ended_;
  std::atomic<std::uint64_t> probes_{0};
  const std::shared_ptr<const void> always_ = std::make_shared<char>();
  mutable std::mutex mutex_;
  std::map<std::pair<Aim, Inode>, Asked> asking_;  // guarded by mutex_
};

}  // namespace skimfs::fs

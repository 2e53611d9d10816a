// SPDX-License-Identifier: MIT
//
// A read that waits, without a thread, for its bytes.  Reader's own.
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <system_error>
#include <utility>
#include <vector>

#include "fs/reader.h"

namespace skimfs::fs {

// One thread drives it at a time: its starter until it is registered with a block or the queue for
// room, then whoever takes it out of there, by waking it or by forgetting it.  After registering it
// looks again whether anybody still waits for its answer; who abandons it closes the answer first
// and forgets then.  So no order of the two leaves it registered for nobody.
class Reader::Operation final : public fs::Operation,
                                public cache::Waiter,
                                public DigestsWanted,
                                public std::enable_shared_from_this<Operation> {
 public:
  Operation(Reader& reader, std::shared_ptr<RemoteFile> file, cache::Extent bytes,
            std::shared_ptr<ReadAnswer> answer)
      : reader_(reader), file_(std::move(file)), bytes_(bytes), answer_(std::move(answer)) {}

  void start();

  bool wants_digests() const noexcept override { return answer_->open(); }
  void digests_behind(std::weak_ptr<fs::Operation> reading) noexcept override;
  void digests_came(Digests digests) override;
  void digests_failed(std::error_code why) noexcept override { fail(why); }

  void wake(std::error_code why) noexcept override;
  void overdue() noexcept override;
  void abandon() noexcept override;

 private:
  void drive();
  void again_or_fail(std::error_code why);

  // A fill that was given up for want of readers, or that showed how the server must be asked.
  bool may_try_again(std::error_code why) noexcept;

  // true: pins_ cover bytes_.  false: waiting for digests or room, or answered.
  bool claim();

  // false: they are being read, and the operation goes on when they have come.
  bool have_digests(cache::Extent wanted);
  bool may_spool() const noexcept;

  // Keeps the pins that bytes_ need; the rest go.
  void keep(std::vector<cache::Pin> pins);

  // Whoever fetches for us on speculation learns that somebody waits.
  void promote(fetch::OrderId mine);
  std::uint32_t needed(const cache::Block& block) const noexcept;

  // Blocks arrive side by side; the first that lacks bytes is waited for.
  cache::Wait await_blocks(std::error_code& why);

  // true: there may be room now; false: waiting, or answered.
  bool await_room(std::uint64_t length, cache::GroupId group);
  void leave_if_abandoned() noexcept;
  void start_waiting(Pins pins, std::size_t block, bool room);
  void stop_waiting() noexcept;
  void succeed();
  void fail(std::error_code why) noexcept;
  // Before the program hears of it.  A deadline and the work's end may meet: one error.
  void count_error() noexcept;
  void let_go() noexcept;

  Reader& reader_;
  const std::shared_ptr<RemoteFile> file_;
  const cache::Extent bytes_;
  const std::shared_ptr<ReadAnswer> answer_;

  // The driver's.
  ReadPlanner::Plan plan_;
  Pins pins_;
  Digests digests_;  // of the units of plan_, for a file that has units
  int tries_ = 0;

  std::atomic<bool> counted_{false};

  std::mutex mutex_;  // what follows: where an abandoner finds us registered
  Pins awaited_pins_;
  std::size_t awaited_block_ = 0;
  bool awaits_room_ = false;
  std::weak_ptr<fs::Operation> awaited_list_;
};

}  // namespace skimfs::fs

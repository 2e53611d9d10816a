// SPDX-License-Identifier: MIT
//
// Pours accepted bytes into the blocks they were fetched for.
//
// Owns the tickets of one run of blocks and sees them filled or failed.  A file joined from parts
// is filled part after part, each by an order of its own.  Of a file that is verified in units
// whole units are fetched, also where some of their blocks are held already, and a unit's bytes are
// shown when the digest of all of it was found right.  Started by any thread; from then on one
// lane's thread at a time calls: with each order it may be another's.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "cache/block_cache.h"
#include "fetch/clock.h"
#include "fetch/fetcher.h"
#include "fs/remote_file.h"
#include "fs/unit_digests.h"

namespace skimfs::fs {

// Who is told when a fill does not end well.  Any thread.
struct FillJudge {
  // The server has another version of this part.  Returns what readers are told.  Throws
  // std::bad_alloc; the version may have ended all the same.
  virtual std::error_code differs(RemoteFile& file, std::size_t part) = 0;
  virtual void failed(RemoteFile& file, std::error_code why) noexcept = 0;
  // A unit has arrived and was compared with its digest.
  virtual void checked(RemoteFile& file, cache::Extent unit, bool right) noexcept = 0;
  // The digest of a file that was served before it was known is wrong.
  virtual void refuted(RemoteFile& file) noexcept = 0;
  // A program waited for these bytes until its deadline; whatever comes of the fill.
  virtual void overdue(RemoteFile& file, cache::Extent bytes) noexcept = 0;

 protected:
  ~FillJudge() = default;
};

// What a fill needs beside its tickets.  All live longer.
struct FillContext {
  fetch::Fetching& fetching;
  const fetch::Clock& clock;
  FillJudge& judge;
};

// What a fill is for.
struct FillReason {
  fetch::OrderId id;
  fetch::Priority priority = fetch::Priority::demand;
  bool whole = false;                   // the server knows no ranges
  std::weak_ptr<const void> walk = {};  // of what no program reads: fetched while this lives
  std::shared_ptr<const UnitDigests> digests = {};  // of all units concerned; null: no units
};

class Fill final : public fetch::RangeSink, public std::enable_shared_from_this<Fill> {
 public:
  // `tickets`: of `file`, in order and without gaps, but inside a unit or where units touch.  With
  // `whole` the one object is fetched from its first byte to its last, whatever of it the tickets
  // ask for.
  static void start(const FillContext& context, std::shared_ptr<RemoteFile> file,
                    std::vector<cache::FillTicket> tickets, const FillReason& reason);

  Fill(const FillContext& context, std::shared_ptr<RemoteFile> file,
       std::vector<cache::FillTicket> tickets, const FillReason& reason);

  fetch::Version expect(std::size_t source) const override;
  fetch::Standing standing(std::size_t source) const override;
  void refuse(std::size_t source) noexcept override;
  bool decides(std::size_t source) const override;
  bool begin(std::size_t source, const fetch::Version& seen, bool counted) override;
  std::span<std::byte> space() noexcept override;
  Took take(std::span<const std::byte> bytes) noexcept override;
  std::uint64_t kept() const noexcept override;
  bool wanted() const noexcept override;
  bool useful() const noexcept override;
  void finish(std::error_code outcome) noexcept override;

 private:
  void order_next();  // the next part, until there is none
  void pour(std::span<const std::byte> bytes) noexcept;
  bool pour_checked(std::span<const std::byte> bytes) noexcept;  // false: a unit was wrong
  bool needs(const cache::Extent& unit) const noexcept;
  void show() noexcept;    // everything poured may be read
  void rewind() noexcept;  // what was poured and not shown is void
  void give_up(std::error_code why) noexcept;

  const FillContext& context_;
  const std::shared_ptr<RemoteFile> file_;
  const FillReason reason_;
  std::deque<cache::FillTicket> tickets_;  // not yet shown whole, in order
  std::size_t at_ = 0;                     // the ticket that is being poured into
  std::uint64_t position_;                 // in the file: the next byte to arrive
  std::uint64_t shown_;                    // in the file: all before may be read
  const std::uint64_t end_;                // in the file
  std::size_t part_ = 0;
  std::uint64_t part_from_ = 0;  // in the file: where the present order begins
  bool counted_ = false;
  std::optional<UnitCheck> check_;  // empty: no units
  bool again_ = false;              // a unit was wrong that began before the present order
  bool tried_again_ = false;        // with the unit at shown_
};

}  // namespace skimfs::fs

// SPDX-License-Identifier: MIT
//
// What is fetched, of which version, and where the bytes go.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <vector>

namespace skimfs::fetch {

// Both ends inclusive, as in HTTP (RFC 9110 section 14.1.2).
struct ByteRange {
  std::uint64_t first = 0;
  std::uint64_t last = 0;

  constexpr std::uint64_t length() const noexcept { return last - first + 1; }
  friend constexpr bool operator==(const ByteRange&, const ByteRange&) = default;
};

// What is known of one content of an object.  Empty fields are unknown, not "none".
struct Version {
  std::optional<std::uint64_t> total;         // bytes
  std::string etag;                           // as received, with quotes and any W/
  std::optional<std::int64_t> last_modified;  // seconds since 1970

  friend bool operator==(const Version&, const Version&) = default;
};

struct Profile;

// Where an object is.  Immutable and shared by all orders of a file.
struct Object {
  // Its sources: absolute http(s) URLs without fragment, preferred first.  A source is named by its
  // place here.
  std::vector<std::string> urls;
  std::shared_ptr<const Profile> profile = nullptr;  // who asks, see credential.h; null: nobody
};

// May a source be asked for the version that is wanted?
enum class Standing {
  usable,
  doubtful,  // lately it did not have it: only when the others fail
  unusable   // nothing could prove that its bytes belong to it
};

// Where one range goes.  Only the thread of the order's lane calls these, in this order:
// ( expect, [begin, take...] )..., finish.
struct RangeSink {
  enum class Took {
    more,    // go on
    enough,  // nobody wants the rest: end the transfer, then finish(operation_canceled)
    corrupt  // what came is wrong: fetch again from kept(), elsewhere if possible
  };

  // The version every response of this source must be of.  Asked before each attempt and again at
  // each head, since another response may have pinned more meanwhile.
  virtual Version expect(std::size_t source) const = 0;

  // Asked only where there is more than one source.
  virtual Standing standing(std::size_t) const { return Standing::usable; }

  // A source did not have the version, or not its bytes: others are asked first for a while.
  virtual void refuse(std::size_t) noexcept {}

  // If this source has another version now, has the object changed?  false: then the source is of
  // no use for the version, and nothing else follows.
  virtual bool decides(std::size_t) const { return true; }

  // An accepted head of this source.  `seen`: what it says of the version.  `counted`: it declares
  // the length of its body and the length is right, so bytes may be shown as they come; otherwise
  // they must be held back until finish({}).  Bytes taken and held back by an earlier attempt are
  // void.  false: it does not belong to the version; the attempt counts as a mismatch.
  virtual bool begin(std::size_t source, const Version& seen, bool counted) = 0;

  // Where the next accepted bytes may be written before they are taken; empty: anywhere.  Nobody
  // sees them there until then.
  virtual std::span<std::byte> space() noexcept { return {}; }

  // The next accepted bytes, in order, starting at the range's first byte plus kept().  At the
  // front of space() they are in place already.
  virtual Took take(std::span<const std::byte> bytes) noexcept = 0;

  // Leading bytes of the range that need no second fetch.
  virtual std::uint64_t kept() const noexcept = 0;

  // Does a reader wait for these bytes now?
  virtual bool wanted() const noexcept = 0;

  // Is anybody still to gain from them?  Asked before an attempt; false ends the order with
  // operation_canceled.
  virtual bool useful() const noexcept { return true; }

  // The last call, exactly once.  Empty: every byte was taken.
  virtual void finish(std::error_code outcome) noexcept = 0;

  virtual ~RangeSink() = default;
};

// Where the answer to "how long is it, and which version" goes.  A lane's thread.
struct ProbeSink {
  // The answer of `source` brings the object's first `bytes` as well, as many as were asked for or
  // all there are.  Who takes them?  Null: nobody, and they are dropped.  At most once, before
  // finish({}); what is returned is called as a RangeOrder's sink is.
  virtual std::shared_ptr<RangeSink> taker(std::size_t /*source*/, const Version& /*seen*/,
                                           std::uint64_t /*bytes*/) noexcept {
    return nullptr;
  }
  // Does anybody wait for the answer now?
  virtual bool wanted() const noexcept { return true; }
  // Is it still of use?  Asked before an attempt; false ends the order with operation_canceled.
  virtual bool useful() const noexcept { return true; }
  // Exactly once.  `source`: who said so.
  virtual void finish(std::error_code outcome, const Version& seen,
                      std::size_t source) noexcept = 0;
  virtual ~ProbeSink() = default;
};

}  // namespace skimfs::fetch

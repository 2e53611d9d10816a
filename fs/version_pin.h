// SPDX-License-Identifier: MIT
//
// Which content of an object a file is bound to: what the manifest states, then what the first
// accepted answer adds.  Once learned it never moves; another content is another version.
//
// An object may have several sources, each with validators of its own.  The source whose answer was
// accepted first is the version's home.  Bytes of another source join them only where that one is
// proven to have the same: both tags are stated in the manifest, or what the validator goes by is
// equal at both, or all bytes are verified by digests before they are shown.
//
// Any thread.
#pragma once

#include <cstdint>
#include <limits>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/clock.h"
#include "fetch/range.h"

namespace skimfs::fs {

// What must stay the same from answer to answer, beside a tag that the manifest states
// (skimfs-manifest(5), validator=).
enum class Validator : std::uint8_t {
  strict,  // the tag, else the time of last modification; and the total
  time,    // the time, and the total
  size     // the total
};

// What the manifest says of a file's versions.
struct Stated {
  struct Part {
    std::optional<std::uint64_t> total;  // bytes of the object, at every source
    std::vector<std::string> etags;      // of each source; empty: none.  At least one source
  };
  std::vector<Part> parts;
  Validator validator = Validator::strict;
  bool verified = false;  // no byte is shown before a digest of the manifest vouches for it
};

class VersionPin {
 public:
  enum class Difference {
    changed,       // the server has a new content: this version ends, new opens get the next
    contradiction  // the server's content is not what the manifest states: an error while it lasts
  };

  // What the answers for an object with one source have added.
  struct Learned {
    std::string etag;
    std::optional<std::int64_t> last_modified;
    std::optional<std::uint64_t> total;  // bytes
    fetch::TimePoint seen{};
  };

  explicit VersionPin(Stated stated);
  // As it was when learned_alone() said so.
  VersionPin(Stated stated, const Learned& learned);

  // What an answer of this source for this part must match now.
  fetch::Version expect(std::size_t part, std::size_t source) const;
  // What is known of the version that readers get: at its home, else at the preferred source.
  fetch::Version known(std::size_t part) const;
  fetch::Standing standing(std::size_t part, std::size_t source, fetch::TimePoint now) const;
  // See RangeSink.
  bool decides(std::size_t part, std::size_t source) const;
  void refuse(std::size_t part, std::size_t source, fetch::TimePoint now);

  // Is an answer of this source that says `seen` of the version?
  bool matches(std::size_t part, std::size_t source, const fetch::Version& seen) const;
  // An accepted answer.  false: it is not of the version, as matches().
  bool learn(std::size_t part, std::size_t source, const fetch::Version& seen,
             fetch::TimePoint now);

  // Does this source speak for the object: is it the preferred one, or the version's home?
  bool speaks(std::size_t part, std::size_t source) const;
  // Can an answer that says `seen` be of another version of the object?  Where the source said an
  // ETag or a date, one that says neither is a page that somebody put in between: a portal's, a
  // proxy's.
  bool credible(std::size_t part, std::size_t source, const fetch::Version& seen) const;
  // Confirmed by a source that speaks, or by all: the object has another version.
  Difference differs(std::size_t part);

  // Still as pinned, says the server, or it cannot be asked now.
  void confirmed(fetch::TimePoint now);

  bool ended() const;         // differs() said changed: never fetch for this version again
  bool learned() const;       // has any answer been accepted?
  bool adds_nothing() const;  // to what is stated
  // All that it adds to what is stated, for a file that is one object with one source; else empty.
  std::optional<Learned> learned_alone() const;
  // Is the preferred source's last word older than this, or in doubt?
  bool due(fetch::TimePoint now, std::chrono::seconds age) const;
  bool has_mirrors(std::size_t part) const;
  // The source whose answer was accepted last; empty before the first.
  std::optional<std::size_t> last_source(std::size_t part) const;

 private:
  struct Source {
    std::string etag;                           // binding: stated, or learned
    std::optional<std::int64_t> last_modified;  // binding
    bool stated = false;                        // the etag
    bool learned = false;
    fetch::TimePoint refused_until{};
  };
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  struct Part {
    std::optional<std::uint64_t> total;
    std::vector<Source> sources;  // preferred first; never empty
    std::uint32_t home = kNone;
    std::uint32_t last = kNone;
  };

  bool must_prove(const Part& part, std::size_t source) const;
  std::optional<fetch::Version> proof(const Part& part) const;
  fetch::Version expected(const Part& part, std::size_t source) const;
  bool provable(const Part& part, std::size_t source) const;
  bool belongs(const Part& part, std::size_t source, const fetch::Version& seen) const;
  static bool fixed(const Part& part);

  const Validator validator_;
  const bool verified_;
  mutable std::mutex mutex_;
  std::vector<Part> parts_;  // guarded by mutex_, as all below
  bool ended_ = false;
  bool doubted_ = false;  // the preferred source was refused since its last word
  fetch::TimePoint seen_{};
};

// The value of validator= in a manifest; empty for one that is not known.
std::optional<Validator> parse_validator(std::string_view word);

}  // namespace skimfs::fs

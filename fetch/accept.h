// SPDX-License-Identifier: MIT
//
// The one door for bytes: does this response answer that request?
//
// Nothing else lets a byte of a body through.  Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <tl/expected.hpp>

#include "fetch/error.h"
#include "fetch/range.h"
#include "fetch/response_head.h"

namespace skimfs::fetch {

// A wider answer is used if at most so much of it comes before the bytes asked for.
constexpr std::uint64_t kMostSkipped = 256 * 1024;

// Which part of the body is the answer.
struct Slice {
  std::uint64_t skip = 0;    // bytes of the body before it
  std::uint64_t length = 0;  // bytes of it; fewer than asked for when the server cut the range
  std::uint64_t body = 0;    // bytes of the whole body, exactly
  bool counted = false;      // the head declares the length of the body, and it is right
  Version seen;
};

struct Refusal {
  Errc code;
  const char* what;  // one word for the log
};

template <class T>
using Verdict = tl::expected<T, Refusal>;

// The length of the body as its head declares it; empty when it does not, or not properly.
std::optional<std::uint64_t> body_length(const ResponseHead& head) noexcept;

// What the head says about the version of the object, whatever the status.
Version version_of(const ResponseHead& head);

// Does a response that says `seen` belong to the version `expect`?  A strong tag that was pinned
// must be there and be equal (RFC 9110 section 15.3.7); a date counts where no strong tag is
// pinned.
bool is_version(const Version& expect, const Version& seen) noexcept;

// The part of the body that answers a request for `asked` of the version `expect` (RFC 9110
// sections 14.4 and 15.3.7), or why none does.  `whole`: a 200 may answer, from whose body the
// bytes before `asked` are skipped.  Refusal::code is Errc::changed when the response is of another
// version.
Verdict<Slice> accept(const ResponseHead& head, ByteRange asked, const Version& expect, bool whole);

// The version and total that the answer to a probe (a range from the first byte, or HEAD) tells, or
// why not.
Verdict<Version> accept_probe(const ResponseHead& head);

}  // namespace skimfs::fetch

// SPDX-License-Identifier: MIT
//
// See verification.h.
#include "fs/verification.h"

#include <algorithm>
#include <charconv>
#include <string_view>

namespace skimfs::fs {
namespace {

using cache::Extent;

// "algo:LEN:URI[#HEX]" as the manifest's reader has checked it.
struct Pieces {
  std::string_view algorithm;
  std::uint64_t length = 0;
  std::string_view url;
  std::string_view hex;  // may be empty
};

Pieces split(std::string_view text) {
  Pieces pieces;
  const auto take = [&text](char mark) {
    const std::string_view word = text.substr(0, text.find(mark));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    return word;
  };
  pieces.algorithm = take(':');
  const std::string_view length = take(':');
  std::from_chars(length.data(), length.data() + length.size(), pieces.length);
  pieces.url = take('#');
  pieces.hex = text;
  return pieces;
}

std::optional<Digest> strongest(const manifest::Content& content) {
  std::optional<Digest> best;
  for (const std::string& written : content.digests) {
    auto digest = parse_digest(written);
    if (digest && (!best || best->algorithm < digest->algorithm)) best = std::move(digest);
  }
  return best;
}

Verification by_list(const Pieces& pieces, Algorithm algorithm, std::uint64_t size,
                     const VerifyPolicy& policy) {
  Verification plan;
  plan.how = Verification::How::units;
  plan.units = {pieces.length, size};
  plan.algorithm = algorithm;
  Verification::List list;
  list.size = ((size - 1) / pieces.length + 1) * digest_size(algorithm);
  manifest::Part part;
  part.length = part.total = list.size;
  part.urls.emplace_back(pieces.url);
  list.content.parts.push_back(std::move(part));
  if (!pieces.hex.empty()) {
    list.content.digests.push_back(std::string(pieces.algorithm) + ':' + std::string(pieces.hex));
    // Only all of it together can be compared with its digest.
    if (list.size > policy.list_max)
      plan.refusal = "a piece list of " + std::to_string(list.size) + " bytes is above " +
                     std::to_string(policy.list_max) + ", a quarter of memory";
  }
  plan.list = std::move(list);
  return plan;
}

}  // namespace

Extent Units::at(std::uint64_t offset) const noexcept {
  const std::uint64_t begin = offset - offset % length;
  return {begin, std::min(length, size - begin)};
}

Extent Units::cover(Extent bytes) const noexcept {
  const std::uint64_t begin = at(bytes.offset).offset;
  return {begin, at(bytes.end() - 1).end() - begin};
}

Extent Units::within(Extent bytes) const noexcept {
  const Extent first = at(bytes.offset);
  const std::uint64_t begin = first.offset == bytes.offset ? first.offset : first.end();
  const std::uint64_t end = bytes.end() == size ? size : bytes.end() - bytes.end() % length;
  return {begin, end > begin ? end - begin : 0};
}

Verification plan_verification(const manifest::Content& content, std::uint64_t size,
                               const VerifyPolicy& policy) {
  Verification plan;
  if (policy.mode == Verify::off) return plan;
  const Pieces pieces = split(content.pieces);
  const auto algorithm = find_algorithm(pieces.algorithm);
  auto digest = strongest(content);
  // A file of one piece needs no list when its digest is known.
  const bool list_helps =
      algorithm && !(digest && size <= pieces.length && size <= policy.whole_max);
  if (list_helps) return by_list(pieces, *algorithm, size, policy);
  if (!digest) {
    const bool stated = !content.digests.empty() || !content.pieces.empty();
    if (stated && policy.mode == Verify::strict)
      plan.refusal = "this build computes none of the file's digests";
    return plan;
  }
  plan.algorithm = digest->algorithm;
  plan.digest = std::move(digest->value);
  if (size <= policy.whole_max) {
    plan.how = Verification::How::units;
    plan.units = {size, size};
  } else {
    plan.how = Verification::How::afterwards;
    if (policy.mode == Verify::strict)
      plan.refusal = "a file of " + std::to_string(size) + " bytes is above verify_whole=" +
                     std::to_string(policy.whole_max);
  }
  return plan;
}

}  // namespace skimfs::fs

// SPDX-License-Identifier: MIT
//
// What is wrong with a manifest, and where.
//
// Inside the readers a fault travels as BadText; what a person sees is ManifestError.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace skimfs::fs::manifest {

// How far a fault reaches: one entry, which on_error=skip may drop; the file; or so far that
// nothing after it can be judged.
enum class Reach { entry, file, rest };

// A fault in the text at hand.  `at`: offset in bytes, from its beginning.
struct BadText {
  std::size_t at = 0;
  std::string message;
  Reach reach = Reach::entry;
};

// Runs `parse` over a piece of `whole`, so that offsets count from the beginning of `whole`.
template <class Parse>
auto within(std::string_view whole, std::string_view piece, Parse parse) {
  try {
    return parse(piece);
  } catch (BadText& bad) {
    bad.at += static_cast<std::size_t>(piece.data() - whole.data());
    throw;
  }
}

// what(): "file:line:col: error: message", the line, a caret; without a line "file: message".
// Bytes outside printable ASCII are escaped, queries and userinfo of URLs left out.
struct ManifestError : std::runtime_error {
  ManifestError(std::string_view file, std::string_view message);
  ManifestError(std::string_view file, std::uint64_t line, const BadText& bad,
                std::string_view text);

  std::uint64_t line = 0;    // from 1; 0: the file as a whole
  std::uint64_t column = 0;  // in bytes, from 1
  std::string message;       // escaped
};

// Bytes outside printable ASCII as \xNN.
std::string printable(std::string_view text);

}  // namespace skimfs::fs::manifest

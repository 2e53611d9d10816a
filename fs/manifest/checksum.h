// SPDX-License-Identifier: MIT
//
// CRC-32C (Castagnoli, RFC 3720 appendix B.4), which finds what went wrong by accident.
//
// Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace skimfs::fs::manifest {

// `before`: of the bytes in front of these; 0: there are none.
std::uint32_t crc32c(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

// The same by tables, for processors without an instruction for it.
std::uint32_t crc32c_by_tables(std::span<const std::byte> bytes, std::uint32_t before = 0) noexcept;

}  // namespace skimfs::fs::manifest

// SPDX-License-Identifier: MIT
#include "fs/shell/look.h"

#include <unistd.h>

#include <algorithm>
#include <bit>

namespace skimfs::fs::shell {
namespace {

constexpr std::uint64_t kStatBlock = 512;  // the unit of st_blocks, stat(2)
constexpr std::uint64_t kPage = 4096;

mode_t type_bits(manifest::Kind kind) noexcept {
  switch (kind) {
    case manifest::Kind::directory:
      return S_IFDIR;
    case manifest::Kind::link:
      return S_IFLNK;
    case manifest::Kind::file:
      break;
  }
  return S_IFREG;
}

// What readdir(3) asks for at once, and so the kernel asks us, but not less than 32 KiB.
blksize_t list_size(std::uint64_t names) noexcept {
  constexpr std::uint64_t kName = 176;  // with attributes
  // It is allocated for each part of a list, by program and kernel: 1 MiB cost a fifth more.
  constexpr std::uint64_t kMost = 256 << 10;
  return static_cast<blksize_t>(std::bit_ceil(std::clamp(names * kName, kPage, kMost)));
}

mode_t permission_bits(const Attributes& attributes, const Look& look) noexcept {
  switch (attributes.kind) {
    case manifest::Kind::directory:
      return attributes.permissions & ~look.directory_mask & 0777;
    case manifest::Kind::link:
      return 0777;
    case manifest::Kind::file:
      break;
  }
  return attributes.permissions & ~look.file_mask & 0777;
}

}  // namespace

Look Look::of(const Options& options) {
  Look look;
  look.uid = options.uid.value_or(geteuid());
  look.gid = options.gid.value_or(getegid());
  look.file_mask = options.fmask.value_or(options.umask);
  look.directory_mask = options.dmask.value_or(options.umask);
  return look;
}

struct stat to_stat(const Attributes& attributes, const Look& look) noexcept {
  struct stat out = to_entry_stat(attributes.inode, attributes.kind);
  out.st_mode |= permission_bits(attributes, look);
  out.st_nlink = attributes.kind == manifest::Kind::directory ? 2 : 1;
  out.st_uid = look.uid;
  out.st_gid = look.gid;
  out.st_size = static_cast<off_t>(attributes.size);
  out.st_blksize =
      attributes.kind == manifest::Kind::directory ? list_size(attributes.names) : kPage;
  out.st_blocks =
      static_cast<blkcnt_t>(attributes.size / kStatBlock + (attributes.size % kStatBlock != 0));
  out.st_mtim.tv_sec = attributes.mtime.seconds;
  out.st_mtim.tv_nsec = attributes.mtime.nanoseconds;
  out.st_ctim = out.st_atim = out.st_mtim;
  return out;
}

struct stat to_entry_stat(Inode inode, manifest::Kind kind) noexcept {
  struct stat out = {};
  out.st_ino = inode;
  out.st_mode = type_bits(kind);
  return out;
}

struct statvfs to_statvfs(const SpaceTotals& totals) noexcept {
  struct statvfs out = {};
  out.f_bsize = out.f_frsize = kPage;
  out.f_blocks = totals.bytes / kPage + (totals.bytes % kPage != 0);
  out.f_files = totals.files;
  out.f_namemax = kLongestName;
  out.f_flag = ST_RDONLY | ST_NOSUID | ST_NODEV;
  return out;
}

}  // namespace skimfs::fs::shell

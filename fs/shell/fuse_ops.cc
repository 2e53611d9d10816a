// SPDX-License-Identifier: MIT
#include "fs/shell/fuse_ops.h"

#include <fcntl.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fetch/error.h"
#include "fs/errno_map.h"
#include "fs/shell/listing.h"
#include "fs/shell/parked.h"

namespace skimfs::fs::shell {
namespace {

// Seconds.  The kernel is not told of names that a reload adds, so it must soon ask again.
constexpr double kNegativeTimeout = 2;

Served& served(fuse_req_t request) noexcept {
  return *static_cast<Served*>(fuse_req_userdata(request));
}

void reply_error(fuse_req_t request, std::error_code why, Asked asked) noexcept {
  fuse_reply_err(request, errno_for(why, asked));
}

// Runs the body of a callback, which may throw only before it has given the request away.
template <class Body>
void guarded(fuse_req_t request, Body body) noexcept {
  try {
    body();
  } catch (const std::bad_alloc&) {
    fuse_reply_err(request, ENOMEM);
  }
}

// Parks the request and starts the work that will answer it.
template <class Start>
void park(fuse_req_t request, Asked asked, Start start) {
  Served& to = served(request);
  const auto parked = Parked::park(request, asked, to.replies, to.keeper);
  if (!parked) return;
  try {
    start(parked);
  } catch (const std::bad_alloc&) {
    parked->settle(std::make_error_code(std::errc::not_enough_memory));
  }
}

void op_init(void* data, fuse_conn_info* kernel) noexcept {
  // Size and content are those of one version and never change: no attribute check before each
  // read.
  kernel->want &= ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA);
  // Replies leave straight from block memory; through a pipe they would be copied twice.
  kernel->want &=
      ~static_cast<unsigned>(FUSE_CAP_SPLICE_READ | FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE);
  // With it the kernel waits for the parts of an O_DIRECT read in fuse_direct_IO() as for a disk:
  // no signal ends that wait, SIGKILL neither, and no interrupt is sent.
  kernel->want &= ~static_cast<unsigned>(FUSE_CAP_ASYNC_DIO);
  // Its own guess asks for attributes only as long as each name is looked at before the next is
  // listed.  find(1), du(1) and cp(1) list a directory first, and then sent a lookup for each file.
  kernel->want &= ~static_cast<unsigned>(FUSE_CAP_READDIRPLUS_AUTO);
  kernel->want |= kernel->capable & (FUSE_CAP_ASYNC_READ | FUSE_CAP_PARALLEL_DIROPS |
                                     FUSE_CAP_READDIRPLUS | FUSE_CAP_CACHE_SYMLINKS |
                                     FUSE_CAP_NO_OPENDIR_SUPPORT | FUSE_CAP_EXPLICIT_INVAL_DATA);
  // The kernel's own 12 and 9 let one hung host and its read-ahead take every place.  A place costs
  // a parked record here and nothing there: the pages of a blocked reader are taken already.  With
  // 128, 300 readers of a silent server held up a reader of another one until their deadline.
  kernel->max_background = 1024;
  kernel->congestion_threshold = 768;
  kernel->time_gran = 1;
  Served& to = *static_cast<Served*>(data);
  to.add_parallel_lookups = (kernel->capable & FUSE_CAP_PARALLEL_DIROPS) != 0;
  to.skip_open = to.skip_open && (kernel->capable & FUSE_CAP_NO_OPEN_SUPPORT) != 0;
}

void reply_missing_name(fuse_req_t request) noexcept {
  fuse_entry_param nothing = {};
  nothing.entry_timeout = kNegativeTimeout;
  fuse_reply_entry(request, &nothing);
}

void op_lookup(fuse_req_t request, fuse_ino_t parent, const char* name) noexcept {
  if (std::strlen(name) > kLongestName) {
    fuse_reply_err(request, ENAMETOOLONG);
    return;
  }
  guarded(request, [&] {
    Served& to = served(request);
    const auto now = to.files.try_lookup(parent, name);
    if (!now)
      park(request, Asked::lookup,
           [&](auto parked) { to.files.lookup(parent, name, std::move(parked)); });
    else if (*now) {
      const Attributes& found = (*now)->attributes;
      if (found.kind != manifest::Kind::directory && to.lists.looked_up(parent, found.inode))
        to.forget_lists();
      to.replies.entry(request, **now);
    } else if (now->error() == std::make_error_code(std::errc::no_such_file_or_directory))
      reply_missing_name(request);
    else
      reply_error(request, now->error(), Asked::lookup);
  });
}

// Inodes cost nothing to keep, so lookups are not counted.
void op_forget(fuse_req_t request, fuse_ino_t /*inode*/, std::uint64_t /*times*/) noexcept {
  fuse_reply_none(request);
}

void op_forget_multi(fuse_req_t request, std::size_t /*count*/,
                     fuse_forget_data* /*all*/) noexcept {
  fuse_reply_none(request);
}

// Where opens are skipped this is all that is asked when a name is opened: of a version that has
// ended only who reads it still, by its open file, hears the attributes, and nobody may keep them.
void op_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) noexcept {
  guarded(request, [&] {
    Served& to = served(request);
    const bool ended = to.skip_open && to.files.ended(inode);
    if (ended && !file) return reply_error(request, fetch::Errc::changed, Asked::other);
    const auto attributes = to.files.attributes(inode);
    if (!attributes) return reply_error(request, attributes.error(), Asked::other);
    const struct stat stat = to_stat(*attributes, to.look);
    fuse_reply_attr(request, &stat, ended ? 0 : to.files.attribute_timeout(inode));
  });
}

void op_readlink(fuse_req_t request, fuse_ino_t inode) noexcept {
  guarded(request, [&] {
    const auto target = served(request).files.link_target(inode);
    if (!target) return reply_error(request, target.error(), Asked::other);
    fuse_reply_readlink(request, target->c_str());
  });
}

// ENOSYS: the kernel never asks again, and keeps directory listings (FUSE_NO_OPENDIR_SUPPORT).
void op_opendir(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* /*file*/) noexcept {
  fuse_reply_err(request, ENOSYS);
}

void op_readdir(fuse_req_t request, fuse_ino_t inode, std::size_t room, off_t from,
                fuse_file_info* /*file*/) noexcept {
  guarded(request, [&] { reply_listing(request, served(request), inode, room, from, false); });
}

void op_readdirplus(fuse_req_t request, fuse_ino_t inode, std::size_t room, off_t from,
                    fuse_file_info* /*file*/) noexcept {
  guarded(request, [&] { reply_listing(request, served(request), inode, room, from, true); });
}

void op_open(fuse_req_t request, fuse_ino_t inode, fuse_file_info* file) noexcept {
  if ((file->flags & O_ACCMODE) != O_RDONLY || (file->flags & O_TRUNC) != 0) {
    fuse_reply_err(request, EROFS);
    return;
  }
  guarded(request, [&] {
    Served& to = served(request);
    if (to.skip_open) {  // the kernel never asks again (FUSE_NO_OPEN_SUPPORT)
      fuse_reply_err(request, ENOSYS);
      return;
    }
    auto now = to.files.try_open(inode);
    if (!now)
      park(request, Asked::open, [&](auto parked) { to.files.open(inode, std::move(parked)); });
    else if (*now)
      to.replies.opened(request, std::move(**now));
    else
      reply_error(request, now->error(), Asked::open);
  });
}

// Where opens are skipped.  Which goes with revalidate=immutable, so no server is asked and no open
// has to wait.
fetch::Result<std::shared_ptr<OpenFile>> recent_file(Served& to, fuse_ino_t inode) {
  if (auto file = to.recent.find(inode); file && !FileSystem::refused(*file)) return file;
  auto opened = to.files.try_open(inode).value();
  if (opened) opened = to.recent.add(inode, *std::move(opened));
  return opened;
}

void op_read(fuse_req_t request, fuse_ino_t inode, std::size_t length, off_t offset,
             fuse_file_info* info) noexcept {
  guarded(request, [&] {
    Served& to = served(request);
    const auto found = to.skip_open ? recent_file(to, inode) : to.handles.at(info->fh);
    if (!found) return reply_error(request, found.error(), Asked::read);
    // Held, so that the last one to let go of it has seen all that was done with it.
    const std::shared_ptr<OpenFile>& file = *found;
    const std::uint64_t size = FileSystem::size(*file);
    const auto from = static_cast<std::uint64_t>(offset);
    if (offset < 0 || from >= size || length == 0) {
      fuse_reply_buf(request, nullptr, 0);
      return;
    }
    // Short only at the end of the file: anywhere else a program would take it for the end.
    const cache::Extent bytes{from, std::min<std::uint64_t>(length, size - from)};
    if (const auto view = to.files.try_read(*file, bytes))
      to.replies.read(request, *view);
    else
      park(request, Asked::read,
           [&](auto parked) { to.files.read(file, bytes, std::move(parked)); });
  });
}

void op_release(fuse_req_t request, fuse_ino_t /*inode*/, fuse_file_info* info) noexcept {
  served(request).handles.remove(info->fh);
  fuse_reply_err(request, 0);
}

void op_statfs(fuse_req_t request, fuse_ino_t /*inode*/) noexcept {
  const struct statvfs space = to_statvfs(served(request).files.totals());
  fuse_reply_statfs(request, &space);
}

// A value or a list of names, as getxattr(2) and listxattr(2) want it.
void reply_sized(fuse_req_t request, const std::string& value, std::size_t room) noexcept {
  if (room == 0)
    fuse_reply_xattr(request, value.size());
  else if (value.size() > room)
    fuse_reply_err(request, ERANGE);
  else
    fuse_reply_buf(request, value.data(), value.size());
}

// Not worth copying, so listed only with xattr=all.
constexpr std::array<std::string_view, 6> kAnsweredByName{
    "user.skimfs.url",    "user.skimfs.mirror",   "user.skimfs.etag",
    "user.skimfs.cached", "user.skimfs.verified", "user.skimfs.error"};

// With xattr=off ENOSYS: the kernel never asks again.
void op_getxattr(fuse_req_t request, fuse_ino_t inode, const char* name,
                 std::size_t room) noexcept {
  guarded(request, [&] {
    Served& to = served(request);
    if (to.xattr == XattrMode::off) {
      fuse_reply_err(request, ENOSYS);
      return;
    }
    const auto value = to.files.xattr(inode, name);
    if (!value) return reply_error(request, value.error(), Asked::other);
    reply_sized(request, *value, room);
  });
}

void op_listxattr(fuse_req_t request, fuse_ino_t inode, std::size_t room) noexcept {
  guarded(request, [&] {
    Served& to = served(request);
    if (to.xattr == XattrMode::off) {
      fuse_reply_err(request, ENOSYS);
      return;
    }
    const auto listed = to.files.xattr_names(inode);
    if (!listed) return reply_error(request, listed.error(), Asked::other);
    std::string names;
    for (const std::string& name : *listed) names.append(name).push_back('\0');
    if (to.xattr == XattrMode::all)
      for (const std::string_view name : kAnsweredByName)
        if (to.files.xattr(inode, name)) names.append(name).push_back('\0');
    reply_sized(request, names, room);
  });
}

// Every operation that would change something.
template <class... Arguments>
void refuse_change(fuse_req_t request, Arguments...) noexcept {
  fuse_reply_err(request, EROFS);
}

fuse_lowlevel_ops make_ops() noexcept {
  fuse_lowlevel_ops ops = {};
  ops.init = op_init;
  ops.lookup = op_lookup;
  ops.forget = op_forget;
  ops.forget_multi = op_forget_multi;
  ops.getattr = op_getattr;
  ops.readlink = op_readlink;
  ops.opendir = op_opendir;
  ops.readdir = op_readdir;
  ops.readdirplus = op_readdirplus;
  ops.open = op_open;
  ops.read = op_read;
  ops.release = op_release;
  ops.statfs = op_statfs;
  ops.getxattr = op_getxattr;
  ops.listxattr = op_listxattr;
  ops.setattr = refuse_change;
  ops.mknod = refuse_change;
  ops.mkdir = refuse_change;
  ops.unlink = refuse_change;
  ops.rmdir = refuse_change;
  ops.symlink = refuse_change;
  ops.rename = refuse_change;
  ops.link = refuse_change;
  ops.create = refuse_change;
  ops.write = refuse_change;
  ops.setxattr = refuse_change;
  ops.removexattr = refuse_change;
  ops.fallocate = refuse_change;
  ops.copy_file_range = refuse_change;
  return ops;
}

}  // namespace

const fuse_lowlevel_ops& fuse_ops() noexcept {
  static const fuse_lowlevel_ops ops = make_ops();
  return ops;
}

}  // namespace skimfs::fs::shell

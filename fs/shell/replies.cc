// SPDX-License-Identifier: MIT
#include "fs/shell/replies.h"

#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>
#include <vector>

namespace skimfs::fs::shell {
namespace {

// The parts of the view, where they lie in the pinned blocks.
std::vector<iovec> gather(const ReadView& view) {
  std::vector<iovec> parts;
  parts.reserve(view.pins->size());
  for (const cache::Pin& pin : *view.pins) {
    const cache::Extent block = pin->extent();
    const std::uint64_t from = std::max(block.offset, view.bytes.offset);
    const std::uint64_t to = std::min(block.end(), view.bytes.end());
    if (from >= to) continue;
    const auto bytes = pin->view(static_cast<std::uint32_t>(from - block.offset),
                                 static_cast<std::uint32_t>(to - from));
    // iovec is shared with readv(2) and has no const; fuse_reply_iov() only reads.
    parts.push_back({const_cast<std::byte*>(bytes.data()), bytes.size()});
  }
  return parts;
}

}  // namespace

fuse_entry_param to_entry(const Node& node, const Look& look) noexcept {
  fuse_entry_param entry = {};
  entry.ino = node.attributes.inode;
  entry.attr = to_stat(node.attributes, look);
  entry.attr_timeout = node.attribute_timeout;
  entry.entry_timeout = node.entry_timeout;
  return entry;
}

void KernelReplies::on_interrupt(fuse_req_t request, fuse_interrupt_func_t call,
                                 void* data) noexcept {
  fuse_req_interrupt_func(request, call, data);
}

void KernelReplies::read(fuse_req_t request, const ReadView& view) noexcept {
  try {
    const std::vector<iovec> parts = gather(view);
    fuse_reply_iov(request, parts.data(), static_cast<int>(parts.size()));
  } catch (const std::bad_alloc&) {
    fuse_reply_err(request, ENOMEM);
  }
}

void KernelReplies::entry(fuse_req_t request, const Node& node) noexcept {
  const fuse_entry_param entry = to_entry(node, look_);
  fuse_reply_entry(request, &entry);
}

void KernelReplies::opened(fuse_req_t request, std::shared_ptr<OpenFile> file) noexcept {
  fuse_file_info info = {};
  info.keep_cache = !direct_io_;  // an inode is one version, so its pages stay right
  info.direct_io = direct_io_;
  try {
    info.fh = handles_.add(std::move(file));
  } catch (const std::bad_alloc&) {
    fuse_reply_err(request, ENOMEM);
    return;
  }
  // The kernel gave up on the open, so no release will come.
  if (fuse_reply_open(request, &info) != 0) handles_.remove(info.fh);
}

void KernelReplies::fail(fuse_req_t request, int error) noexcept { fuse_reply_err(request, error); }

}  // namespace skimfs::fs::shell

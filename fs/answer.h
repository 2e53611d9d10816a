// SPDX-License-Identifier: MIT
//
// The far end of a request that had to wait, and what travels to it.
#pragma once

#include <cstdint>
#include <memory>
#include <system_error>
#include <vector>

#include "cache/block.h"
#include "cache/names.h"
#include "fs/manifest/tree.h"
#include "fs/operation.h"

namespace skimfs::fs {

// The file's number + 1 + generation * 2^40; the root is 1.  Never used again for another content.
using Inode = std::uint64_t;

// What stat(2) shows of one inode.
struct Attributes {
  Inode inode = 0;
  manifest::Kind kind = manifest::Kind::file;
  std::uint64_t size = 0;   // bytes
  std::uint32_t names = 0;  // in a directory
  manifest::Time mtime;
  std::uint32_t permissions = 0444;  // before the mount's umask
  bool size_stated = true;           // by the manifest: no server changes it
};

// A name's answer, and for how many seconds the kernel may repeat it.
struct Node {
  Attributes attributes;
  double entry_timeout = 0;
  double attribute_timeout = 0;
};

// Blocks held in place, in order and without gaps.
using Pins = std::shared_ptr<const std::vector<cache::Pin>>;

// The bytes of a read, lying in pinned blocks.
struct ReadView {
  Pins pins;  // cover `bytes`
  cache::Extent bytes;
};

class OpenFile;

// Who waits for bytes.  Answered exactly once: after read() or fail() the others do nothing.
// Any thread; called with no lock held.
struct ReadAnswer {
  virtual bool open() const noexcept = 0;                           // nobody has answered yet
  virtual void work(std::weak_ptr<Operation> behind) noexcept = 0;  // told when abandoned
  virtual void read(const ReadView& view) noexcept = 0;
  virtual void fail(std::error_code why) noexcept = 0;
  virtual ~ReadAnswer() = default;
};

// A request of any kind, likewise.
struct Answer : ReadAnswer {
  virtual void entry(const Node& node) noexcept = 0;
  virtual void opened(std::shared_ptr<OpenFile> file) noexcept = 0;
};

}  // namespace skimfs::fs

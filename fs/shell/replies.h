// SPDX-License-Identifier: MIT
//
// The last statements of a request.
//
// Any thread, no lock held.  read, entry, opened and fail end the request: libfuse frees it, and
// nothing may name it afterwards.  A reply that the kernel no longer wants is ignored.
#pragma once

#include <memory>

#include "fs/answer.h"
#include "fs/shell/fuse.h"
#include "fs/shell/handles.h"
#include "fs/shell/look.h"

namespace skimfs::fs::shell {

// The seam: libfuse in a mount, a recorder in tests.
struct Replies {
  virtual void on_interrupt(fuse_req_t request, fuse_interrupt_func_t call,
                            void* data) noexcept = 0;
  virtual void read(fuse_req_t request, const ReadView& view) noexcept = 0;
  virtual void entry(fuse_req_t request, const Node& node) noexcept = 0;
  virtual void opened(fuse_req_t request, std::shared_ptr<OpenFile> file) noexcept = 0;
  virtual void fail(fuse_req_t request, int error) noexcept = 0;

 protected:
  ~Replies() = default;
};

fuse_entry_param to_entry(const Node& node, const Look& look) noexcept;

class KernelReplies final : public Replies {
 public:
  KernelReplies(Handles& handles, const Look& look, bool direct_io) noexcept
      : handles_(handles), look_(look), direct_io_(direct_io) {}

  void on_interrupt(fuse_req_t request, fuse_interrupt_func_t call, void* data) noexcept override;
  void read(fuse_req_t request, const ReadView& view) noexcept override;
  void entry(fuse_req_t request, const Node& node) noexcept override;
  void opened(fuse_req_t request, std::shared_ptr<OpenFile> file) noexcept override;
  void fail(fuse_req_t request, int error) noexcept override;

 private:
  Handles& handles_;
  const Look look_;
  const bool direct_io_;
};

}  // namespace skimfs::fs::shell

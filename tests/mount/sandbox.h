// SPDX-License-Identifier: MIT
//
// A place where a test may mount, start daemons and be killed without leaving anything behind.
//
// The test program runs as the first process of its own mount and PID namespaces: mounts are not
// seen outside, and the kernel ends everything inside with it.
#pragma once

#include <string>

namespace skimfs::test {

// Forks; only the child, inside, returns.  The parent exits as the child does.  Where namespaces
// cannot be had it returns too, and can_mount() says why.
void enter_sandbox();

// Empty when a FUSE file system can be mounted here, else the reason why not.
std::string cannot_mount();

// A folder of its own, removed with the object.
class Scratch {
 public:
  Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch();
  const std::string& path() const noexcept { return path_; }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  // Writes a file, making the folders above it; returns its path.
  std::string write(const std::string& name, const std::string& text) const;

 private:
  std::string path_;
};

}  // namespace skimfs::test

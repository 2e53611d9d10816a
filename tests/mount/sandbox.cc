// SPDX-License-Identifier: MIT
//
// Everything here is undone by the kernel when the first process of the namespaces ends.
#include "tests/mount/sandbox.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "tests/support/private_mounts.h"

namespace skimfs::test {
namespace {

// Inside, hidden by a tmpfs of our own, so that files, too, end with the namespace.
std::string scratch_root = "/tmp";

bool inside = false;

[[noreturn]] void end_as(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  ::_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

}  // namespace

void enter_sandbox() {
  if (::geteuid() != 0 || ::unshare(CLONE_NEWPID) != 0) return;
  const pid_t child = ::fork();
  if (child < 0) throw std::system_error(errno, std::generic_category(), "fork");
  if (child > 0) end_as(child);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (!have_private_mounts() || ::mount("proc", "/proc", "proc", 0, nullptr) != 0) return;
  inside = true;
  // The kernel's count of unanswered requests; not everywhere mounted already, hence no check.
  ::mount("fusectl", "/sys/fs/fuse/connections", "fusectl", 0, nullptr);
  if (::mount("tmpfs", "/media", "tmpfs", 0, "mode=0755") == 0) scratch_root = "/media";
}

std::string cannot_mount() {
  if (::geteuid() != 0) return "not root";
  if (!inside) return "no private mount and PID namespaces to be had";
  const int fuse = ::open("/dev/fuse", O_RDWR | O_CLOEXEC);
  if (fuse < 0) return std::string("/dev/fuse: ") + std::strerror(errno);
  ::close(fuse);
  return {};
}

Scratch::Scratch() {
  path_ = scratch_root + "/skimfs-test.XXXXXX";
  if (::mkdtemp(path_.data()) == nullptr) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
}

Scratch::~Scratch() {
  std::error_code ignored;  // a mount that is stuck in here is reported by who owns it
  std::filesystem::remove_all(path_, ignored);
}

std::string Scratch::write(const std::string& name, const std::string& text) const {
  const std::filesystem::path path = path_ + "/" + name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  if (!(file << text).flush()) throw std::runtime_error(path.string() + ": cannot be written");
  return path;
}

}  // namespace skimfs::test

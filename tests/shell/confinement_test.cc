// SPDX-License-Identifier: MIT
//
// Each test confines a process of its own: there is no way back.
#include "fs/shell/confinement.h"

#include <grp.h>
#include <gtest/gtest.h>
#include <linux/securebits.h>
#include <netdb.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <functional>
#include <system_error>
#include <thread>

namespace skimfs::fs::shell {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

// 0 when `holds` in a child that has confined itself.
int confined(const std::function<bool()>& holds) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!confine().empty()) ::_exit(2);
    ::_exit(holds() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

template <class Result>
bool refused(Result result) {
  return result < 0 && errno == EPERM;
}

// S-SEC-5
TEST(Confinement, StartsNoProgramAndNoProcess) {
  EXPECT_EQ(confined([] {
              char name[] = "/bin/true";
              char* arguments[] = {name, nullptr};
              return refused(::execv(name, arguments)) && refused(::syscall(SYS_vfork));
            }),
            0);
  if (kSanitizer) return;  // its leak checker is a process
  EXPECT_EQ(confined([] { return refused(::fork()); }), 0);
  EXPECT_EQ(confined([] { return refused(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }), 0);
}

// S-SEC-5
TEST(Confinement, NeitherMountsNorTracesNorChangesNamespaces) {
  EXPECT_EQ(confined([] {
              return refused(::mount("none", "/", "tmpfs", 0, nullptr)) &&
                     refused(::umount2("/", MNT_DETACH)) && refused(::unshare(CLONE_NEWUSER)) &&
                     refused(::setns(0, 0)) && refused(::chroot("/")) &&
                     refused(::syscall(SYS_bpf, 0, nullptr, 0)) &&
                     refused(::syscall(SYS_keyctl, 0)) &&
                     refused(::syscall(SYS_finit_module, 0, "", 0)) &&
                     refused(::syscall(SYS_process_vm_readv, 1, nullptr, 0, nullptr, 0, 0));
            }),
            0);
  if (kSanitizer) return;  // its leak checker traces
  EXPECT_EQ(confined([] { return refused(::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr)); }), 0);
}

TEST(Confinement, HasNoRightsAndCannotGetAny) {
  EXPECT_EQ(confined([] {
              return ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1 &&
                     ::prctl(PR_GET_SECCOMP, 0, 0, 0, 0) == 2 &&
                     (::geteuid() != 0 || ::prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 0);
            }),
            0);
}

// 0 when `holds` in a child that has become nobody.
int as_nobody(const std::function<bool()>& holds) {
  constexpr Account kNobody{65534, 65534};
  const pid_t child = ::fork();
  if (child == 0) {
    try {
      become(kNobody);
    } catch (const std::system_error&) {
      ::_exit(2);
    }
    ::_exit(holds() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// S-SEC-6
TEST(Confinement, WhoBecomesAUserIsThatUserOnly) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const gid_t wheel = 4;
  ASSERT_EQ(::setgroups(1, &wheel), 0);
  EXPECT_EQ(as_nobody([] {
              return ::getuid() == 65534 && ::geteuid() == 65534 && ::getegid() == 65534 &&
                     ::getgroups(0, nullptr) == 0 && refused(::syscall(SYS_setuid, 0)) &&
                     refused(::syscall(SYS_setgid, 0)) &&
                     ::prctl(PR_CAPBSET_READ, 21, 0, 0, 0) == 0 &&
                     ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
            }),
            0);
  ASSERT_EQ(::setgroups(0, nullptr), 0);
}

// securebits(7): with these the kernel takes no capability away when a process changes its user.
TEST(Confinement, WhoBecomesAUserKeepsNoCapabilityWhateverItInherited) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP, 0, 0, 0) != 0) ::_exit(3);
    ::_exit(as_nobody([] { return refused(::syscall(SYS_setuid, 0)) && refused(::chroot("/")); }));
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WEXITSTATUS(status) == 3) GTEST_SKIP() << "needs CAP_SETPCAP";
  EXPECT_EQ(status, 0);
}

// The kernel hides the memory of who changes its user, also from debuggers that were asked for.
TEST(Confinement, WhoBecomesAUserIsAsHiddenAsBefore) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(as_nobody([] { return ::prctl(PR_GET_DUMPABLE) == 1; }), 0);
}

TEST(Confinement, OnlyRootCanBecomeAnotherUser) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  EXPECT_EQ(as_nobody([] {
              try {
                become({1, 1});
              } catch (const std::system_error&) {
                return true;
              }
              return false;
            }),
            0);
}

TEST(Confinement, LeavesWhatServingNeeds) {
  EXPECT_EQ(confined([] {
              bool ran = false;
              std::thread([&ran] { ran = true; }).join();
              addrinfo* found = nullptr;
              const bool named = ::getaddrinfo("localhost", nullptr, nullptr, &found) == 0;
              if (named) ::freeaddrinfo(found);
              const int inet = ::socket(AF_INET, SOCK_STREAM, 0);
              const int netlink = ::socket(AF_NETLINK, SOCK_RAW, 0);
              const int local = ::socket(AF_UNIX, SOCK_STREAM, 0);
              return ran && named && inet >= 0 && netlink >= 0 && local >= 0;
            }),
            0);
}

// S-SEC-5
TEST(Confinement, HiddenMemoryMakesNoCore) {
  const pid_t child = ::fork();
  if (child == 0) {
    hide_memory();
    rlimit core{};
    ::getrlimit(RLIMIT_CORE, &core);
    const bool hidden = ::prctl(PR_GET_DUMPABLE) == 0 && core.rlim_max == 0;
    ::_exit(hidden != kSanitizer ? 0 : 1);  // whose leak checker reads its memory
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace skimfs::fs::shell

// SPDX-License-Identifier: MIT
#include "fs/shell/confinement.h"

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <system_error>
#include <type_traits>

namespace skimfs::fs::shell {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kSanitizer = true;
#else
constexpr bool kSanitizer = false;
#endif

std::string reason(int error) { return std::generic_category().message(error); }

void drop_bounding_set() noexcept {
  for (int each = 0; prctl(PR_CAPBSET_READ, each) >= 0; ++each) prctl(PR_CAPBSET_DROP, each);
}

// capabilities(7).  Who has none to begin with loses nothing.
int drop_capabilities() noexcept {
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  drop_bounding_set();
  __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
  std::array<__user_cap_data_struct, _LINUX_CAPABILITY_U32S_3> none{};
  return syscall(SYS_capset, &header, none.data()) == 0 ? 0 : errno;
}

// Of the calling thread, as capabilities are: glibc's asks every thread and ends the process where
// their answers differ.
bool can_become_root() noexcept { return syscall(SYS_setuid, 0) == 0; }
bool can_join_root() noexcept { return syscall(SYS_setgid, 0) == 0; }

bool can_have_nothing_else(const Account& account) noexcept {
  uid_t real = 0, effective = 0, saved = 0;
  gid_t real_group = 0, effective_group = 0, saved_group = 0;
  return getresuid(&real, &effective, &saved) == 0 && real == account.user &&
         effective == account.user && saved == account.user &&
         getresgid(&real_group, &effective_group, &saved_group) == 0 &&
         real_group == account.group && effective_group == account.group &&
         saved_group == account.group && getgroups(0, nullptr) == 0 && !can_become_root() &&
         (account.group == 0 || !can_join_root());
}

// Nothing that serving files needs.  A name that this machine's kernel does not have is left out by
// libseccomp.
constexpr const char* kRefused[] = {"execve",
                                    "execveat",
                                    "fork",
                                    "vfork",
                                    "mount",
                                    "umount",
                                    "umount2",
                                    "fsopen",
                                    "fsconfig",
                                    "fsmount",
                                    "fspick",
                                    "move_mount",
                                    "open_tree",
                                    "mount_setattr",
                                    "pivot_root",
                                    "chroot",
                                    "unshare",
                                    "setns",
                                    "bpf",
                                    "perf_event_open",
                                    "userfaultfd",
                                    "keyctl",
                                    "add_key",
                                    "request_key",
                                    "kexec_load",
                                    "kexec_file_load",
                                    "init_module",
                                    "finit_module",
                                    "delete_module",
                                    "process_vm_readv",
                                    "process_vm_writev",
                                    "pidfd_getfd",
                                    "open_by_handle_at",
                                    "name_to_handle_at",
                                    "reboot",
                                    "swapon",
                                    "swapoff",
                                    "acct",
                                    "quotactl",
                                    "quotactl_fd",
                                    "settimeofday",
                                    "clock_settime",
                                    "clock_adjtime",
                                    "adjtimex",
                                    "sethostname",
                                    "setdomainname",
                                    "iopl",
                                    "ioperm",
                                    "syslog",
                                    "vhangup",
                                    "lookup_dcookie",
                                    "io_uring_setup",
                                    "nfsservctl",
                                    "personality",
                                    "mbind",
                                    "migrate_pages",
                                    "move_pages",
                                    "kcmp"};
// Also what sanitizers' own tracers use.
constexpr const char* kRefusedUnlessTraced[] = {"ptrace"};

// 0 or an errno value.
int refuse(scmp_filter_ctx filter, const char* name) {
  const int number = seccomp_syscall_resolve_name(name);
  if (number == __NR_SCMP_ERROR) return 0;
  const int result = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), number, 0);
  return result == -EDOM || result == -EACCES ? 0 : -result;
}

int filter_calls() {
  struct Release {
    void operator()(void* filter) const noexcept { seccomp_release(filter); }
  };
  const std::unique_ptr<std::remove_pointer_t<scmp_filter_ctx>, Release> filter(
      seccomp_init(SCMP_ACT_ALLOW));
  if (!filter) return ENOMEM;
  // Threads that are there already, if any, are filtered too.
  int error = -seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  for (const char* name : kRefused)
    if (error == 0) error = refuse(filter.get(), name);
  if (error != 0) return error;
  if (!kSanitizer) {
    for (const char* name : kRefusedUnlessTraced)
      if (error == 0) error = refuse(filter.get(), name);
    // Threads, but no processes.  What clone3() asks for cannot be seen; glibc then takes clone().
    const scmp_arg_cmp no_thread{0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, 0};
    if (error == 0)
      error = -seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(EPERM), SCMP_SYS(clone), 1,
                                      &no_thread);
    if (error == 0)
      error = -seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
  }
  return error != 0 ? error : -seccomp_load(filter.get());
}

}  // namespace

void hide_memory() noexcept {
  if (kSanitizer) return;
  prctl(PR_SET_DUMPABLE, 0);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
}

void become(const Account& account) {
  const int dumpable = prctl(PR_GET_DUMPABLE);  // another user's process is hidden by the kernel
  drop_bounding_set();                          // while we may
  if (setgroups(0, nullptr) != 0 || setresgid(account.group, account.group, account.group) != 0 ||
      setresuid(account.user, account.user, account.user) != 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    throw std::system_error(errno, std::generic_category(), "setuid");
  const int error = drop_capabilities();  // securebits(7) may have kept them
  if (error != 0 || !can_have_nothing_else(account))
    throw std::system_error(error != 0 ? error : EPERM, std::generic_category(),
                            "setuid: not all rights are gone");
  prctl(PR_SET_DUMPABLE, dumpable);
}

std::string confine() {
  std::string left;
  const auto note = [&left](const char* what, int error) {
    if (error != 0) left += std::string(left.empty() ? "" : "; ") + what + ": " + reason(error);
  };
  note("capabilities", drop_capabilities());
  note("no_new_privs", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : errno);
  note("seccomp", filter_calls());
  return left;
}

}  // namespace skimfs::fs::shell

// SPDX-License-Identifier: MIT
#include "fs/shell/kernel_mount.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "fs/control.h"
#include "fs/log.h"
#include "fs/mount_table.h"
#include "fs/option_list.h"
#include "fs/shell/helper_process.h"

namespace skimfs::fs::shell {
namespace {

constexpr const char* kDevice = "/dev/fuse";

std::string reason(int error) { return std::generic_category().message(error); }

[[noreturn]] void refuse(int code, const std::string& directory, const std::string& why) {
  throw MountError(code, directory + ": not mounted; " + why);
}

int open_device(const std::string& directory) {
  const int fd = open(kDevice, O_RDWR | O_CLOEXEC);
  if (fd >= 0) return fd;
  switch (errno) {
    case EACCES:
    case EPERM:  // fusermount3 opens it as the user it works for, so it could not either
      refuse(kUsageOrPermission, directory,
             "/dev/fuse is not open to this user: be root, or chmod 666 /dev/fuse as udev does");
    case ENOENT:
    case ENODEV:
    case ENXIO:
      refuse(kMountFailed, directory,
             "there is no /dev/fuse: load the module (modprobe fuse), or pass the device on "
             "(docker run --device /dev/fuse --cap-add SYS_ADMIN)");
    default:
      refuse(kSystemError, directory, "cannot open /dev/fuse: " + reason(errno));
  }
}

// What was asked for, for mount(2): flags, and the words the kernel reads itself.
struct MountWords {
  unsigned long flags = MS_RDONLY | MS_NOSUID | MS_NODEV;
  std::string data;
};

// fd=, rootmode=, user_id= and group_id= are how the kernel wants it (its Documentation: fuse.rst).
// default_permissions always: the kernel checks modes, and never has to ask us for access.
MountWords words_for(const KernelMount::Wanted& wanted, int device) {
  MountWords words;
  words.data = "fd=" + std::to_string(device) +
               ",rootmode=40000,user_id=" + std::to_string(geteuid()) +
               ",group_id=" + std::to_string(getegid()) + ",default_permissions";
  if (wanted.allow_other) words.data += ",allow_other";
  for (const std::string& word : split_option_list(wanted.kernel_options)) {
    if (word == "noexec")
      words.flags |= MS_NOEXEC;
    else if (word != "exec")
      words.data += "," + word;
  }
  return words;
}

// The grammar of fusermount3: `\` before a comma or another `\`.
std::string escape_word(std::string_view word) {
  std::string out;
  for (const char c : word) {
    if (c == ',' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string helper_options(const KernelMount::Wanted& wanted) {
  std::string options =
      "ro,nosuid,nodev,default_permissions,subtype=skimfs,fsname=" + escape_word(wanted.source);
  if (wanted.allow_other) options += ",allow_other";
  for (const std::string& word : split_option_list(wanted.kernel_options))
    options += "," + escape_word(word);
  return options;
}

[[noreturn]] void refuse_mountpoint(const std::string& directory, int error) {
  switch (error) {
    case ENOENT:
      refuse(kMountFailed, directory, "there is no such directory: create it first");
    case ENOTDIR:
      refuse(kMountFailed, directory, "it is not a directory: choose one");
    case EACCES:
      refuse(kUsageOrPermission, directory, "no permission to reach it");
    case ENODEV:
      refuse(kMountFailed, directory, "this kernel has no FUSE: load the module (modprobe fuse)");
    case EINVAL:
      refuse(kMountFailed, directory, "the kernel refused the options: look at context= and exec");
    default:
      refuse(kMountFailed, directory, "mount: " + reason(error));
  }
}

// A helper's complaint without its own name, with what to do where we know it.
[[noreturn]] void refuse_by_helper(const std::string& directory, const HelperResult& result) {
  if (!result.ran)
    refuse(kUsageOrPermission, directory,
           "mounting as a user needs fusermount3 (package fuse3), or be root");
  const std::string_view name = "fusermount3: ";
  std::string why = result.complaint;
  if (why.starts_with(name)) why.erase(0, name.size());
  if (why.find("user_allow_other") != std::string::npos)
    why = "allow_other needs the line \"user_allow_other\" in /etc/fuse.conf";
  else if (why.find("Permission denied") != std::string::npos ||
           why.find("no write access") != std::string::npos)
    why +=
        "; the directory must be yours and writable, and AppArmor may confine fusermount3 "
        "(/etc/apparmor.d/local/fusermount3)";
  refuse(kUsageOrPermission, directory, why.empty() ? "fusermount3 refused without a word" : why);
}

// A mount whose daemon is gone answers every question but those the kernel has cached with
// ENOTCONN.
bool is_dead(const std::string& directory) {
  struct statfs answer;
  return statfs(directory.c_str(), &answer) != 0 && errno == ENOTCONN;
}

// The kernel reports an error on the device once its mount is unmounted or aborted.
bool is_connected(int device) {
  pollfd state{device, 0, 0};
  return poll(&state, 1, 0) >= 0 && (state.revents & POLLERR) == 0;
}

void tell_unmount_failed(const std::string& directory, int error) noexcept {
  try {
    log::event(log::Level::error, "unmount_failed", directory,
               "dir=" + log::escape(directory) + " why=" + log::escape(reason(error)));
  } catch (const std::bad_alloc&) {
    // The mount table shows it.
  }
}

void detach(const std::string& directory) {
  if (umount2(directory.c_str(), MNT_DETACH) == 0) return;
  if (errno != EPERM)
    refuse(kMountFailed, directory, "a dead mount is in the way: " + reason(errno));
  const HelperResult result = helper_unmount(directory);
  if (!result.ran || result.exit_code != 0)
    refuse(kUsageOrPermission, directory,
           "a dead mount of another user is in the way: umount it first");
}

void make_way(const KernelMount::Wanted& wanted) {
  const auto there = topmost_at(read_mount_table(), wanted.directory);
  if (!there || there->type != kMountType) return;
  if (!is_dead(wanted.directory)) {
    const auto pid = control::serving_process(wanted.directory);
    refuse(kMountFailed, wanted.directory,
           "another skimfs is there already" +
               (pid ? " (pid " + std::to_string(*pid) + ")" : std::string()) +
               ": skimfs umount takes it down");
  }
  if (!wanted.replace_stale)
    refuse(kMountFailed, wanted.directory,
           "a dead mount is in the way: umount it, or use replace_stale=on");
  detach(wanted.directory);
  log::event(log::Level::warning, "replaced", wanted.directory,
             "dir=" + log::escape(wanted.directory) + " found=\"dead mount\"");
}

// mount(2) itself: the open device, or empty where that is not ours to do.
std::optional<int> mount_directly(const KernelMount::Wanted& wanted) {
  const int device = open_device(wanted.directory);
  const MountWords words = words_for(wanted, device);
  if (mount(wanted.source.c_str(), wanted.directory.c_str(), kMountType.data(), words.flags,
            words.data.c_str()) == 0)
    return device;
  const int error = errno;
  close(device);
  if (error != EPERM) refuse_mountpoint(wanted.directory, error);
  return std::nullopt;
}

int mount_by_helper(const KernelMount::Wanted& wanted) {
  const HelperResult result = helper_mount(helper_options(wanted), wanted.directory);
  if (result.device < 0) refuse_by_helper(wanted.directory, result);
  return result.device;
}

}  // namespace

KernelMount::KernelMount(const std::string& directory, Steward& steward)
    : directory_(directory), steward_(steward) {}

KernelMount::KernelMount(const Wanted& wanted, Steward& steward)
    : KernelMount(wanted.directory, steward) {
  make_way(wanted);
  const auto device = mount_directly(wanted);
  by_helper_ = !device;
  device_ = device ? *device : mount_by_helper(wanted);
  row_ = topmost_at(read_mount_table(), directory_);
  if (const int error = steward_.mounted(); error != 0)
    refuse(kMountFailed, directory_, "the process that is to unmount it: " + reason(error));
}

KernelMount::~KernelMount() { unmount(); }

int KernelMount::duplicate_device() const {
  const int fd = fcntl(device_, F_DUPFD_CLOEXEC, 3);
  if (fd < 0) throw std::system_error(errno, std::generic_category(), kDevice);
  return fd;
}

bool KernelMount::may_be_there() const {
  if (!row_) return true;
  const auto there = topmost_at(read_mount_table(), directory_);
  return there && there->device == row_->device;
}

// While our connection lives, its numbers tell the mount; when it has ended, they may be the next
// one's already.  Then only a dead mount can be ours: that of a connection that was aborted.
void KernelMount::unmount() noexcept {
  if (device_ < 0) return;
  const int error = steward_.unmount(by_helper_, !is_connected(device_));
  if (error != 0) tell_unmount_failed(directory_, error);
  close(std::exchange(device_, -1));
}

}  // namespace skimfs::fs::shell

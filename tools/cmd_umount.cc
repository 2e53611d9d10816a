// SPDX-License-Identifier: MIT
//
// skimfs umount.
#include "tools/cmd_umount.h"

#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <iostream>
#include <system_error>

#include "fs/control.h"
#include "fs/mount_table.h"
#include "fs/shell/helper_process.h"
#include "tools/command_line.h"
#include "tools/exit_code.h"
#include "tools/holders.h"
#include "tools/page.h"

namespace skimfs::tools {
namespace {

int refuse(const std::string& directory, const std::string& why, int code = kMountFailed) {
  std::cerr << "skimfs: " << directory << ": " << why << '\n';
  return code;
}

int refuse_busy(const std::string& directory) {
  std::string why = "busy, not unmounted; held by ";
  const std::vector<std::string> holders = holders_of(directory);
  for (const std::string& holder : holders) why += holder + ", ";
  if (holders.empty()) why += "nobody we may see, ";
  return refuse(directory, why + "or use -z to unmount now and free it when they let go");
}

int unmount_as_root(const std::string& directory, bool lazily) {
  if (umount2(directory.c_str(), UMOUNT_NOFOLLOW | (lazily ? MNT_DETACH : 0)) == 0) return kMounted;
  if (errno == EBUSY) return refuse_busy(directory);
  return refuse(directory, "not unmounted: " + std::generic_category().message(errno));
}

int unmount_as_user(const std::string& directory, bool lazily) {
  using fs::shell::Unmount;
  const fs::shell::HelperResult result =
      fs::shell::helper_unmount(directory, lazily ? Unmount::lazily : Unmount::if_idle);
  if (!result.ran) {
    return refuse(directory, "unmounting as a user needs fusermount3 (package fuse3), or be root",
                  kMountUsage);
  }
  if (result.exit_code == 0) return kMounted;
  // Its complaint is text for people; strerror(EBUSY) at its end is the only sign of this case.
  if (result.complaint.ends_with(std::generic_category().message(EBUSY))) {
    return refuse_busy(directory);
  }
  return refuse(directory, "not unmounted: " + result.complaint);
}

}  // namespace

int umount_command(Words words) {
  std::string given;
  bool lazily = false, help = false;
  CommandLine line;
  line.add_option("DIR", given);
  line.add_flag("-z,--lazy", lazily);
  line.add_flag("-h,--help", help);
  line.take(words);
  if (help) return print("Usage: skimfs umount [-z] DIR\n");
  if (given.empty()) throw UsageError("umount: wanted DIR, found nothing");

  const std::string directory = fs::control::mount_name(given);
  const auto row = fs::topmost_at(fs::read_mount_table(), directory);
  if (!row) return refuse(directory, "not mounted");
  if (row->type != fs::kMountType) {
    return refuse(directory, "not a skimfs mount but " + row->type + "; umount(8) unmounts it");
  }
  if (geteuid() == 0) return unmount_as_root(directory, lazily);
  return unmount_as_user(directory, lazily);
}

}  // namespace skimfs::tools

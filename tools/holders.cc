// SPDX-License-Identifier: MIT
//
// Who keeps a mount busy: a scan of /proc, of the mount table and of the loop devices.
#include "tools/holders.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>

#include "fs/mount_table.h"

namespace skimfs::tools {
namespace {

namespace stdfs = std::filesystem;

// Path texts only: nothing is looked up below the mount.
bool is_below(std::string_view path, std::string_view directory) {
  return path.starts_with(directory) &&
         (path.size() == directory.size() || path[directory.size()] == '/');
}

// Processes end while we look, and others' may not be looked into: no answer is not an error.
bool leads_below(const stdfs::path& link, std::string_view directory) {
  std::error_code unreadable;
  const stdfs::path target = stdfs::read_symlink(link, unreadable);
  return !unreadable && is_below(target.native(), directory);
}

std::string first_line(const stdfs::path& file) {
  std::ifstream stream(file);
  std::string line;
  std::getline(stream, line);
  return line;
}

bool has_open(const stdfs::path& process, std::string_view directory) {
  std::error_code unreadable;
  for (stdfs::directory_iterator at(process / "fd", unreadable), end; !unreadable && at != end;
       at.increment(unreadable)) {
    if (leads_below(at->path(), directory)) return true;
  }
  return false;
}

// proc(5): "address perms offset dev inode pathname", the last after blanks.
bool has_mapped(const stdfs::path& process, std::string_view directory) {
  std::ifstream maps(process / "maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t path = line.find('/');
    if (path != std::string::npos && is_below(std::string_view(line).substr(path), directory)) {
      return true;
    }
  }
  return false;
}

std::optional<std::string> how_process_holds(const stdfs::path& process,
                                             std::string_view directory) {
  if (leads_below(process / "cwd", directory)) return "current directory";
  if (leads_below(process / "root", directory)) return "root directory";
  if (leads_below(process / "exe", directory)) return "program";
  if (has_open(process, directory)) return "open file";
  if (has_mapped(process, directory)) return "mapped file";
  return {};
}

void add_processes(std::vector<std::string>& holders, std::string_view directory) {
  for (const stdfs::directory_entry& entry : stdfs::directory_iterator("/proc")) {
    const std::string pid = entry.path().filename();
    if (pid.find_first_not_of("0123456789") != std::string::npos) continue;
    if (const auto how = how_process_holds(entry.path(), directory)) {
      holders.push_back(first_line(entry.path() / "comm") + " (pid " + pid + ", " + *how + ")");
    }
  }
}

void add_mounts(std::vector<std::string>& holders, std::string_view directory) {
  for (const fs::MountRow& row : fs::read_mount_table()) {
    if (row.directory != directory && is_below(row.directory, directory)) {
      holders.push_back("the mount " + row.directory);
    }
  }
}

// An image file on the mount that is itself mounted is held by no process.
void add_loop_devices(std::vector<std::string>& holders, std::string_view directory) {
  std::error_code absent;
  for (stdfs::directory_iterator at("/sys/block", absent), end; !absent && at != end;
       at.increment(absent)) {
    const std::string image = first_line(at->path() / "loop/backing_file");
    if (is_below(image, directory)) {
      holders.push_back(at->path().filename().string() + " (image " + image + ")");
    }
  }
}

}  // namespace

std::vector<std::string> holders_of(std::string_view directory) {
  std::vector<std::string> holders;
  add_processes(holders, directory);
  add_mounts(holders, directory);
  add_loop_devices(holders, directory);
  return holders;
}

}  // namespace skimfs::tools

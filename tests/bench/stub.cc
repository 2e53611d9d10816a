// SPDX-License-Identifier: MIT
//
// A file system that costs nothing: what is left is libfuse, the kernel and the copies between.
//
//   bench_stub FILE DIR [direct_io]
//
// Shows FILE, mapped, under its name in DIR, with the settings of the kernel that skimfs chooses,
// until it is unmounted.
#define FUSE_USE_VERSION 35
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string>
#include <string_view>
#include <thread>

namespace {

constexpr fuse_ino_t kFile = 2;
constexpr double kForever = 86400;

struct Shown {
  std::string name;
  char* bytes = nullptr;
  struct stat status {};
  bool direct = false;
};

Shown& shown(fuse_req_t request) { return *static_cast<Shown*>(fuse_req_userdata(request)); }

struct stat status_of(const Shown& file, fuse_ino_t inode) {
  struct stat status {};
  status.st_ino = inode;
  status.st_nlink = 1;
  status.st_mode = inode == kFile ? S_IFREG | 0444 : S_IFDIR | 0555;
  status.st_size = inode == kFile ? file.status.st_size : 0;
  return status;
}

void op_init(void*, fuse_conn_info* kernel) {
  kernel->want &=
      ~static_cast<unsigned>(FUSE_CAP_AUTO_INVAL_DATA | FUSE_CAP_SPLICE_READ |
                             FUSE_CAP_SPLICE_WRITE | FUSE_CAP_SPLICE_MOVE | FUSE_CAP_ASYNC_DIO);
  kernel->want |= kernel->capable & FUSE_CAP_ASYNC_READ;
  kernel->max_background = 1024;
  kernel->congestion_threshold = 768;
}

void op_lookup(fuse_req_t request, fuse_ino_t, const char* name) {
  if (name != shown(request).name) {
    fuse_reply_err(request, ENOENT);
    return;
  }
  fuse_entry_param entry{};
  entry.ino = kFile;
  entry.attr = status_of(shown(request), kFile);
  entry.attr_timeout = entry.entry_timeout = kForever;
  fuse_reply_entry(request, &entry);
}

void op_getattr(fuse_req_t request, fuse_ino_t inode, fuse_file_info*) {
  const struct stat status = status_of(shown(request), inode);
  fuse_reply_attr(request, &status, kForever);
}

void op_open(fuse_req_t request, fuse_ino_t, fuse_file_info* file) {
  file->keep_cache = !shown(request).direct;
  file->direct_io = shown(request).direct;
  fuse_reply_open(request, file);
}

void op_read(fuse_req_t request, fuse_ino_t, std::size_t length, off_t offset, fuse_file_info*) {
  const Shown& file = shown(request);
  const off_t left = std::max<off_t>(file.status.st_size - offset, 0);
  iovec bytes{file.bytes + offset, std::min(length, static_cast<std::size_t>(left))};
  fuse_reply_iov(request, &bytes, 1);
}

// As skimfs has it for root.
void set_read_ahead(const char* directory) {
  struct stat at {};
  if (stat(directory, &at) != 0) return;
  std::ofstream("/sys/class/bdi/0:" + std::to_string(minor(at.st_dev)) + "/read_ahead_kb") << 1024;
}

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "bench_stub: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

}  // namespace

int main(int count, char* words[]) {
  if (count < 3) {
    std::fputs("usage: bench_stub FILE DIR [direct_io]\n", stderr);
    return 2;
  }
  Shown file;
  const std::string_view path = words[1];
  file.name = path.substr(path.rfind('/') + 1);
  file.direct = count > 3;
  const int fd = open(words[1], O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &file.status) != 0) fail(words[1]);
  void* const at = mmap(nullptr, static_cast<std::size_t>(file.status.st_size), PROT_READ,
                        MAP_SHARED | MAP_POPULATE, fd, 0);
  if (at == MAP_FAILED) fail("mmap");
  file.bytes = static_cast<char*>(at);

  fuse_lowlevel_ops ops{};
  ops.init = op_init;
  ops.lookup = op_lookup;
  ops.getattr = op_getattr;
  ops.open = op_open;
  ops.read = op_read;
  char* options[] = {words[0], const_cast<char*>("-oro"), nullptr};
  fuse_args arguments = FUSE_ARGS_INIT(2, options);
  fuse_session* const session = fuse_session_new(&arguments, &ops, sizeof ops, &file);
  if (!session || fuse_set_signal_handlers(session) != 0 ||
      fuse_session_mount(session, words[2]) != 0)
    fail("mount");
  std::thread([directory = words[2]] { set_read_ahead(directory); }).detach();
  fuse_loop_config config{};
  config.clone_fd = 0;
  config.max_idle_threads = 4;
  const int result = fuse_session_loop_mt(session, &config);
  fuse_session_unmount(session);
  return result == 0 ? 0 : 1;
}

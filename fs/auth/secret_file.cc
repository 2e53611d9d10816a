// SPDX-License-Identifier: MIT
//
// See secret_file.h.
#include "fs/auth/secret_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace skimfs::fs::auth {
namespace {

constexpr std::size_t kMost = 64 * 1024;  // bytes

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw SecretError(path + ": " + why);
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const noexcept { return fd_; }

 private:
  const int fd_;
};

std::int64_t changed(const struct stat& file) noexcept {
  return std::int64_t{file.st_ctim.tv_sec} * 1'000'000'000 + file.st_ctim.tv_nsec;
}

void check(const std::string& path, const struct stat& file, uid_t also) {
  if (!S_ISREG(file.st_mode)) refuse(path, "not a regular file");
  if (file.st_uid != 0 && file.st_uid != ::geteuid() && file.st_uid != also)
    refuse(path, "belongs to another user; chown it to root or to who mounts");
  if ((file.st_mode & 077) != 0) refuse(path, "open to group or others; chmod 600 it");
  if (file.st_size > static_cast<off_t>(kMost)) refuse(path, "larger than 64 KiB");
}

}  // namespace

bool FileStamp::still_there() const noexcept {
  struct stat now {};
  return ::lstat(path.c_str(), &now) == 0 && now.st_dev == device && now.st_ino == inode &&
         now.st_size == size && auth::changed(now) == changed;
}

Secret read_secret(const std::string& path, uid_t also) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (file.get() < 0) {
    refuse(path, errno == ELOOP ? "a symbolic link; name the file itself" : std::strerror(errno));
  }
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) refuse(path, std::strerror(errno));
  check(path, found, also);
  Secret secret{std::string(kMost + 1, '\0'),
                {path, found.st_dev, found.st_ino, found.st_size, changed(found)}};
  std::size_t length = 0;
  while (length < secret.text.size()) {
    const ssize_t got =
        ::read(file.get(), secret.text.data() + length, secret.text.size() - length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) refuse(path, std::strerror(errno));
    if (got == 0) break;
    length += static_cast<std::size_t>(got);
  }
  if (length > kMost) refuse(path, "larger than 64 KiB");
  secret.text.resize(length);
  if (secret.text.find('\0') != std::string::npos) refuse(path, "a NUL in it");
  return secret;
}

}  // namespace skimfs::fs::auth

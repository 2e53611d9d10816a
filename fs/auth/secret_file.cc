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

[[noreturn]] void refuse_unopened(const std::string& path, int error, bool linked) {
  const bool link = !linked && error == ELOOP;
  SecretError refusal(path + ": " +
                      (link ? "a symbolic link; name the file itself" : std::strerror(error)));
  refusal.out_of_reach = error == EACCES;
  throw refusal;
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

void check_rights(const std::string& path, const struct stat& file, uid_t also) {
  if (file.st_uid != 0 && file.st_uid != ::geteuid() && file.st_uid != also)
    refuse(path, "belongs to another user; chown it to root or to who mounts");
  if ((file.st_mode & 077) != 0) refuse(path, "open to group or others; chmod 600 it");
}

// `check`: of what is open, before it is read.
template <class Check>
Secret read_text(const std::string& path, bool linked, Check check) {
  const int links = linked ? 0 : O_NOFOLLOW;
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | links));
  if (file.get() < 0) refuse_unopened(path, errno, linked);
  struct stat found {};
  if (::fstat(file.get(), &found) != 0) refuse(path, std::strerror(errno));
  if (!S_ISREG(found.st_mode)) refuse(path, "not a regular file");
  check(found);
  if (found.st_size > static_cast<off_t>(kMost)) refuse(path, "larger than 64 KiB");
  Secret secret{std::string(kMost + 1, '\0'),
                {path, found.st_dev, found.st_ino, found.st_size, changed(found), linked}};
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

}  // namespace

bool FileStamp::still_there() const noexcept {
  struct stat now {};
  const int links = linked ? 0 : AT_SYMLINK_NOFOLLOW;
  return ::fstatat(AT_FDCWD, path.c_str(), &now, links) == 0 && now.st_dev == device &&
         now.st_ino == inode && now.st_size == size && auth::changed(now) == changed;
}

Secret read_secret(const std::string& path, uid_t also) {
  return read_text(path, false, [&](const struct stat& file) { check_rights(path, file, also); });
}

Secret read_public(const std::string& path) {
  return read_text(path, true, [](const struct stat&) {});
}

}  // namespace skimfs::fs::auth

// SPDX-License-Identifier: MIT
//
// A small file that holds a secret, read only where nobody else could have read or written it, and
// one that holds none.
//
// Any thread; reads the disk.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <stdexcept>
#include <string>

namespace skimfs::fs::auth {

// what(): one line, the path and what was wanted, found, to do.  Never any of the contents.
struct SecretError : std::runtime_error {
  using std::runtime_error::runtime_error;
  bool out_of_reach = false;  // this process has no right to open it (EACCES)
};

// Tells one content of a file from the next.
struct FileStamp {
  std::string path;
  dev_t device = 0;
  ino_t inode = 0;
  std::int64_t size = 0;
  std::int64_t changed = 0;  // ctime, nanoseconds
  bool linked = false;       // the path may be a symbolic link: of what it leads to

  bool still_there() const noexcept;  // stat(2) says the same
};

struct Secret {
  std::string text;
  FileStamp stamp;
};

// Refuses symbolic links, what is not a regular file, a file of another user than root, the
// process's own and `also`, permissions for group or others, more than 64 KiB, and a NUL.
// Throws SecretError.
Secret read_secret(const std::string& path, uid_t also = 0);

// For what everybody may know, such as a certificate: refuses only what is not a regular file, more
// than 64 KiB, and a NUL.  Throws SecretError.
Secret read_public(const std::string& path);

}  // namespace skimfs::fs::auth

// SPDX-License-Identifier: MIT
//
// The credential profiles of a mount, read from files and read again when those change.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fetch/credential.h"
#include "fs/auth/secret_file.h"

namespace skimfs::fs::auth {

class Profiles {
 public:
  // Knows no name.
  Profiles();
  // From an auth.conf.  `also`: whose files may be read besides root's and our own: whom this
  // process becomes, who can then read them again.  Throws SecretError: "FILE:LINE: why" or
  // "FILE: why".
  explicit Profiles(std::string path, uid_t also = 0);
  ~Profiles();

  // Any thread.  Never null, and always the same of one name: it covers no server while no file
  // states it.
  std::shared_ptr<const fetch::Profile> find(std::string_view name) const;
  // Any thread.
  bool knows(std::string_view name) const;

  // Reads again what has changed since; one thread, which may wait for the disk.  Where something
  // is wrong with it all stays as it was, and the result says what, once: one line, else empty.
  std::string refresh();
  // The same, of all, whether it has changed or not.  Throws SecretError, each time.
  void read_again();

 private:
  class Known;
  struct Read;

  static Read read(const std::string& path, uid_t also);

  const std::string path_;
  const uid_t also_ = 0;
  struct State;
  const std::unique_ptr<State> state_;
  std::string complaint_;  // of the last reading
};

// Where an auth.conf is looked for: in $CREDENTIALS_DIRECTORY, then in /etc/skimfs for root, in
// ~/.config/skimfs for others.  The first that exists, or empty.
std::string default_auth_file();

}  // namespace skimfs::fs::auth

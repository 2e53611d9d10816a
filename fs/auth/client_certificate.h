// SPDX-License-Identifier: MIT
//
// A client certificate and its key: can TLS show them?
//
// Any thread.
#pragma once

#include <string>

namespace skimfs::fs::auth {

struct PemFile {
  const std::string& path;  // for what is said of it
  const std::string& text;
};

// Throws SecretError unless `certificate` holds a certificate and nothing else of that kind that is
// damaged, `key` a private key without pass phrase, and the two belong together.  One line: the
// path, what was wanted, found, to do.
void check_pair(const PemFile& certificate, const PemFile& key);

}  // namespace skimfs::fs::auth

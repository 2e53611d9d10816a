// SPDX-License-Identifier: MIT
//
// A real web server for a folder, with a log of what it was asked.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tests/mount/process.h"
#include "tests/mount/sandbox.h"

namespace skimfs::test {

class Nginx {
 public:
  // Serves `folder` on a free port of 127.0.0.1.  `server_lines`: more of its configuration; with
  // an ssl_certificate in them it speaks TLS.
  explicit Nginx(const std::string& folder, const std::string& server_lines = {});
  Nginx(const Nginx&) = delete;
  Nginx& operator=(const Nginx&) = delete;
  ~Nginx();

  std::string base() const {
    return (tls_ ? "https://127.0.0.1:" : "http://127.0.0.1:") + std::to_string(port_);
  }
  std::uint16_t port() const noexcept { return port_; }
  // "GET /a/b 206 bytes=0-99", in order.
  std::vector<std::string> requests() const;
  // For each request, in order: did its connection go on with a TLS session of an earlier one?
  std::vector<bool> resumed() const;

 private:
  Scratch scratch_;
  const bool tls_;
  std::uint16_t port_ = 0;
  std::unique_ptr<Process> process_;

  std::vector<std::string> lines(const std::string& log) const;
};

}  // namespace skimfs::test

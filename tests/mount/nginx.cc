// SPDX-License-Identifier: MIT
//
// nginx takes a listening socket that is open already from the variable NGINX (its way to replace
// a running binary): no port is raced for, and connections queue before it runs.  Without a master
// process nginx 1.22 does not survive that.
#include "tests/mount/nginx.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <sstream>
#include <system_error>

namespace skimfs::test {
namespace {

int listen_anywhere(std::uint16_t& port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (listener < 0 || ::bind(listener, generic, length) != 0 || ::listen(listener, 511) != 0 ||
      ::getsockname(listener, generic, &length) != 0) {
    throw std::system_error(errno, std::generic_category(), "a port for nginx");
  }
  port = ntohs(address.sin_port);
  return listener;
}

}  // namespace

Nginx::Nginx(const std::string& folder, const std::string& server_lines)
    : tls_(server_lines.find("ssl_certificate ") != std::string::npos) {
  const int listener = listen_anywhere(port_);
  std::ostringstream text;
  text << "user root;\ndaemon off;\npid nginx.pid;\n"
       << "events { worker_connections 2048; }\n"
       << "http {\n  log_format asked '$request_method $request_uri $status $http_range';\n"
       << "  log_format tls $ssl_session_reused;\n"
       << "  access_log access.log asked; access_log tls.log tls;\n"
       << "  default_type application/octet-stream;\n"
       << "  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t;\n"
       << "  uwsgi_temp_path t; scgi_temp_path t;\n"
       << "  server { listen 127.0.0.1:" << port_ << (tls_ ? " ssl" : "") << "; root " << folder
       << "; " << server_lines << " }\n}\n";
  scratch_.write("nginx.conf", text.str());
  process_ = std::make_unique<Process>(
      Command{"nginx", "-e", "error.log", "-p", scratch_.path(), "-c", "nginx.conf"},
      scratch_ / "output", Command{"NGINX=" + std::to_string(listener) + ";"}, listener);
  ::close(listener);
}

Nginx::~Nginx() {
  process_->signal(SIGTERM);  // the master ends its workers
  process_->wait(std::chrono::seconds(5));
}

std::vector<std::string> Nginx::lines(const std::string& log) const {
  std::vector<std::string> lines;
  std::istringstream text(contents(scratch_ / log));
  for (std::string line; std::getline(text, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> Nginx::requests() const { return lines("access.log"); }

std::vector<bool> Nginx::resumed() const {
  std::vector<bool> resumed;
  for (const std::string& line : lines("tls.log")) resumed.push_back(line == "r");
  return resumed;
}

}  // namespace skimfs::test

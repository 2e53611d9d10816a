// SPDX-License-Identifier: MIT
#include "tests/support/speaker.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>

namespace skimfs::test {
namespace {

constexpr int kPatience = 10'000;  // milliseconds; a client that says nothing holds up no test

}  // namespace

Speaker::Speaker(std::string words, Ending ending)
    : words_(std::move(words)),
      ending_(ending),
      listener_(listen_on(port_)),
      thread_([this] { serve(); }) {}

Speaker::~Speaker() {
  ::shutdown(listener_.get(), SHUT_RDWR);  // ends accept(2)
  thread_.join();
}

void Speaker::serve() {
  while (true) {
    const Descriptor client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    if (client.get() < 0) return;
    ++connections_;
    answer(client);
  }
}

void Speaker::answer(const Descriptor& client) const {
  pollfd ready{client.get(), POLLIN, 0};
  std::array<char, 65536> heard;
  if (::poll(&ready, 1, kPatience) != 1 || ::read(client.get(), heard.data(), heard.size()) <= 0)
    return;
  send_all(client, words_);
  if (ending_ == Ending::reset) reset_on_close(client);
}

}  // namespace skimfs::test

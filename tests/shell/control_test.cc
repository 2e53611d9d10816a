// SPDX-License-Identifier: MIT
//
// Commands to a running mount, over real sockets.
#include "fs/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <thread>

#include "fs/shell/control_socket.h"

namespace skimfs::fs {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class TemporaryDirectory {
 public:
  TemporaryDirectory() { EXPECT_NE(mkdtemp(path_.data()), nullptr); }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_ = std::filesystem::temp_directory_path() / "skimfs-control-XXXXXX";
};

shell::ControlSocket::Answer echo() {
  return [](std::string_view command) -> std::optional<control::Reply> {
    if (command == "unknown") return std::nullopt;
    return control::Reply{command != "refused", "you said " + std::string(command)};
  };
}

class Listening : public shell::ControlSocket {
 public:
  Listening(const std::string& path, Answer answer) : ControlSocket(path) {
    start(std::move(answer), [] { return true; });
  }
};

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  return address;
}

// Does not wait for room in the queue.
class HastyClient {
 public:
  explicit HastyClient(const std::string& path)
      : fd_(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    const sockaddr_un address = address_of(path);
    connected_ = connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  HastyClient(const HastyClient&) = delete;
  HastyClient& operator=(const HastyClient&) = delete;
  ~HastyClient() { close(fd_); }
  bool connected() const noexcept { return connected_; }

 private:
  const int fd_;
  bool connected_ = false;
};

// A client that need not follow the protocol.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(socket(AF_UNIX, SOCK_STREAM, 0)) {
    sockaddr_un address = address_of(path);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  ~RawClient() { close(fd_); }
  void send(const std::string& text) const { ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  std::string receive_all() const {
    std::string text;
    std::array<char, 256> piece;
    for (ssize_t got; (got = recv(fd_, piece.data(), piece.size(), 0)) > 0;)
      text.append(piece.data(), static_cast<std::size_t>(got));
    return text;
  }

 private:
  const int fd_;
};

std::string request(const std::string& path, const std::string& text) {
  const RawClient client(path);
  client.send(text);
  return client.receive_all();
}

TEST(ControlSocket, ACommandIsAnswered) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  EXPECT_EQ(request(socket.path(), "status\n"), "ok\nyou said status");
}

TEST(ControlSocket, AnUnknownCommandIsRefused) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  EXPECT_EQ(request(socket.path(), "unknown\n"), "error\nunknown command \"unknown\"");
}

TEST(ControlSocket, ARefusalSaysWhy) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  EXPECT_EQ(request(socket.path(), "refused\n"), "error\nyou said refused");
}

TEST(Control, ATicketIsANumber) {
  EXPECT_EQ(control::ticket_of("reload"), 0u);
  EXPECT_EQ(control::ticket_of("reload 12"), 12u);
  for (const std::string_view other : {"reload 0", "reload ", "reload x", "reload 1x", "reloads",
                                       "status", "reload 99999999999999999999", "reload -1"})
    EXPECT_FALSE(control::ticket_of(other)) << other;
}

TEST(ControlSocket, ALongAnswerArrivesWhole) {
  const TemporaryDirectory place;
  const std::string text(3'000'000, 'x');
  const Listening socket(place / "d/m.sock", [&](auto) { return control::Reply{true, text}; });
  EXPECT_EQ(request(socket.path(), "status\n"), "ok\n" + text);
}

TEST(ControlSocket, ARequestWithoutEndIsCutOff) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  EXPECT_EQ(request(socket.path(), std::string(10'000, 'x')), "");
}

TEST(ControlSocket, ASilentClientDoesNotKeepTheNextOneOut) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  const RawClient silent(socket.path());
  EXPECT_EQ(request(socket.path(), "status\n"), "ok\nyou said status");
}

TEST(ControlSocket, OnlyItsOwnerMayReachIt) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  struct stat file, directory;
  ASSERT_EQ(stat(socket.path().c_str(), &file), 0);
  ASSERT_EQ(stat((place / "d").c_str(), &directory), 0);
  EXPECT_EQ(file.st_mode & 0777, 0600u);
  EXPECT_EQ(directory.st_mode & 0777, 0700u);
}

TEST(ControlSocket, ADirectoryThatOthersMayWriteIsRefused) {
  const TemporaryDirectory place;
  ASSERT_EQ(mkdir((place / "d").c_str(), 0700), 0);
  ASSERT_EQ(chmod((place / "d").c_str(), 0777), 0);
  EXPECT_THROW(Listening(place / "d/m.sock", echo()), std::system_error);
}

TEST(ControlSocket, WhatADeadMountLeftIsReplacedAndRemovedAtTheEnd) {
  const TemporaryDirectory place;
  ASSERT_EQ(mkdir((place / "d").c_str(), 0700), 0);
  std::ofstream(place / "d/m.sock") << "left behind";
  {
    const Listening socket(place / "d/m.sock", echo());
    EXPECT_EQ(request(socket.path(), "status\n"), "ok\nyou said status");
  }
  EXPECT_TRUE(std::filesystem::is_empty(place / "d"));
}

TEST(ControlSocket, TheSocketOfASuccessorStays) {
  const TemporaryDirectory place;
  auto first = std::make_unique<Listening>(place / "d/m.sock", echo());
  const Listening second(place / "d/m.sock", echo());
  first.reset();
  EXPECT_EQ(request(second.path(), "status\n"), "ok\nyou said status");
}

// Who is slow on a busy machine finds the connection closed.
TEST(Control, AMountThatHasHungUpIsAskedOnceMore) {
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(geteuid()).front();
  std::filesystem::create_directories(directory);
  const std::string path = directory + "/" + control::socket_name(mount);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  path.copy(address.sun_path, path.size());
  unlink(path.c_str());
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(listen(listener, 1), 0);
  std::thread server([&] {
    close(accept4(listener, nullptr, nullptr, SOCK_CLOEXEC));
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    std::array<char, 100> heard;
    EXPECT_GT(recv(client, heard.data(), heard.size(), 0), 0);
    EXPECT_EQ(send(client, "ok\nhere", 7, 0), 7);
    close(client);
  });
  EXPECT_EQ(control::ask(mount, "status"), "here");
  server.join();
  close(listener);
  unlink(path.c_str());
}

// As a user without a login session of their own: sockets live where XDG_RUNTIME_DIR says, which
// root does not look at.
TEST(Control, ACommandFindsTheMountByItsDirectory) {
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(geteuid()).front();
  const Listening socket(directory + "/" + control::socket_name(mount), echo());
  EXPECT_EQ(control::ask(mount + "/", "status --json"), "you said status --json");
  EXPECT_THAT([&] { control::ask(mount, "unknown"); },
              ThrowsMessage<control::NotServed>(HasSubstr("unknown command")));
}

TEST(Control, WhereNothingIsMountedTheMessageSaysSo) {
  EXPECT_THAT([] { control::ask("/nothing/here", "status"); },
              ThrowsMessage<control::NotServed>("/nothing/here: no skimfs is mounted there"));
}

TEST(Control, AMountThatHangsIsNotWaitedForLong) {
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(geteuid()).front();
  const Listening socket(directory + "/" + control::socket_name(mount), echo());
  const RawClient first_in_line(socket.path());
  EXPECT_THAT([&] { control::ask(mount, "status", std::chrono::milliseconds(50)); },
              ThrowsMessage<control::NotServed>(HasSubstr("does not answer")));
}

// Seen as "no skimfs is mounted there" about a stopped daemon, once nine had asked it and gone.
TEST(Control, AMountThatIsStoppedDoesNotAnswerHoweverManyHaveAsked) {
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(geteuid()).front();
  const shell::ControlSocket stopped(directory + "/" + control::socket_name(mount));
  std::deque<HastyClient> queue;
  do queue.emplace_back(stopped.path());
  while (queue.back().connected() && queue.size() < 5000);
  ASSERT_FALSE(queue.back().connected()) << "the queue is full";
  EXPECT_THAT([&] { control::ask(mount, "status", std::chrono::milliseconds(50)); },
              ThrowsMessage<control::NotServed>(HasSubstr("does not answer")));
}

TEST(Control, WhoFindsTheQueueFullIsAnsweredWhenThereIsRoom) {
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(geteuid()).front();
  shell::ControlSocket late(directory + "/" + control::socket_name(mount));
  std::deque<HastyClient> queue;
  do queue.emplace_back(late.path());
  while (queue.back().connected() && queue.size() < 5000);
  queue.clear();  // they stay in it
  const std::jthread starts([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    late.start(echo(), [] { return true; });
  });
  EXPECT_EQ(control::ask(mount, "status", std::chrono::seconds(20)), "you said status");
}

TEST(Control, FindsAMountAgainWhoseSocketWasRemoved) {
  const TemporaryDirectory place;
  const Listening socket(place / "d/m.sock", echo());
  std::filesystem::remove_all(place / "d");
  for (int tries = 0; tries < 2000 && !std::filesystem::exists(socket.path()); ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(request(socket.path(), "status\n"), "ok\nyou said status");
}

// Of a mount whose directory leads to another one, or to none, nobody finds a socket.
TEST(Control, WhatIsNoLongerMountedMakesNoSocketAnew) {
  const TemporaryDirectory place;
  std::atomic<int> asked = 0;
  shell::ControlSocket socket(place / "d/m.sock");
  socket.start(echo(), [&asked] { return ++asked == 0; });
  std::filesystem::remove_all(place / "d");
  for (int tries = 0; tries < 2000 && asked < 2; ++tries)
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(asked, 2);
  EXPECT_FALSE(std::filesystem::exists(socket.path()));
}

// Anybody may make /tmp/skimfs-UID before that user's first mount.
TEST(Control, AnotherUsersSocketIsNotAsked) {
  if (geteuid() != 0) GTEST_SKIP() << "not root";
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(0).front();
  { const shell::ControlSocket makes_directory(directory + "/" + control::socket_name(mount)); }
  const std::string path = directory + "/" + control::socket_name(mount);
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  ASSERT_EQ(bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ASSERT_EQ(seteuid(65534), 0);  // as whom it listens is what others see
  EXPECT_EQ(listen(listener, 8), 0);
  ASSERT_EQ(seteuid(0), 0);
  EXPECT_THAT([&] { control::ask(mount, "status", std::chrono::milliseconds(50)); },
              ThrowsMessage<control::NotServed>(HasSubstr("another user's socket")));
  EXPECT_EQ(control::serving_process(mount), std::nullopt);
  close(listener);
  unlink(path.c_str());
}

TEST(Control, WhatAMountSaysCannotCommandATerminal) {
  const TemporaryDirectory place;
  const std::string mount = place / "m";
  const std::string directory = control::socket_directories(geteuid()).front();
  const Listening socket(directory + "/" + control::socket_name(mount), [](auto) {
    return control::Reply{true, "a\x1b[2J\n\tb\r\x7f\xc2\x9b\xc3\xa4"};
  });
  EXPECT_EQ(control::ask(mount, "status"), "a\\u001b[2J\n\tb\\u000d\\u007f\\u009b\xc3\xa4");
}

TEST(Control, NamesAreAbsoluteAndPlain) {
  EXPECT_EQ(control::mount_name("/data//set/../set/"), "/data/set");
  EXPECT_EQ(control::mount_name("m"), std::filesystem::current_path().string() + "/m");
  EXPECT_EQ(control::mount_name("/"), "/");
}

TEST(Control, ALinkIsTheDirectoryItLeadsTo) {
  const TemporaryDirectory place;
  std::filesystem::create_directory(place / "real");
  std::filesystem::create_directory_symlink(place / "real", place / "link");
  EXPECT_EQ(control::mount_name(place / "link"), control::mount_name(place / "real"));
}

// The kernel goes up from where a link leads to.
TEST(Control, TheParentOfALinkIsThatOfItsTarget) {
  const TemporaryDirectory place;
  std::filesystem::create_directories(place / "real/a");
  std::filesystem::create_directory(place / "real/x");
  std::filesystem::create_directory_symlink("real/a", place / "link");
  EXPECT_EQ(control::mount_name(place / "link/../x"), control::mount_name(place / "real/x"));
  EXPECT_EQ(control::mount_name(place / "link/../none/"),
            control::mount_name(place / "real") + "/none");
}

TEST(Control, WhatIsNotThereIsTakenByItsWords) {
  EXPECT_EQ(control::mount_name("/none/a/./b//../c/"), "/none/a/c");
  EXPECT_EQ(control::mount_name("/../none"), "/none");
}

TEST(Control, DifferentMountsHaveDifferentSockets) {
  EXPECT_EQ(control::socket_name("/data/set"), "data-set.sock");
  EXPECT_EQ(control::socket_name("/"), "-.sock");
  EXPECT_EQ(control::socket_name("/data-set"), "data\\x2dset.sock");
  EXPECT_EQ(control::socket_name("/.a/\xc3\xa4"), "\\x2ea-\\xc3\\xa4.sock");
  const std::string long_path = "/" + std::string(300, 'a');
  EXPECT_LE(control::socket_name(long_path).size(), 65u);
  EXPECT_NE(control::socket_name(long_path + "1"), control::socket_name(long_path + "2"));
}

}  // namespace
}  // namespace skimfs::fs

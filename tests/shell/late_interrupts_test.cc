// SPDX-License-Identifier: MIT
#include "fs/shell/late_interrupts.h"

#include <gtest/gtest.h>
#include <linux/fuse.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <memory>
#include <vector>

namespace skimfs::test {
namespace {

using fs::shell::LateInterrupts;

// libfuse's session over a socket, where the test is the kernel.
class LateInterruptsTest : public testing::Test {
 protected:
  void SetUp() override {
    int ends[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends), 0);
    kernel_ = ends[0];
    fuse_lowlevel_ops ops = {};
    ops.forget_multi = [](fuse_req_t request, std::size_t count, fuse_forget_data*) {
      EXPECT_EQ(count, 0U);
      ++*static_cast<std::uint64_t*>(fuse_req_userdata(request));
      fuse_reply_none(request);
    };
    char name[] = "skimfs";
    char* words[] = {name, nullptr};
    fuse_args arguments = FUSE_ARGS_INIT(1, words);
    session_.reset(fuse_session_new(&arguments, &ops, sizeof ops, &asked_));
    fuse_opt_free_args(&arguments);
    ASSERT_NE(session_, nullptr);
    fuse_custom_io io = {};
    io.read = [](int fd, void* to, std::size_t size, void*) { return read(fd, to, size); };
    io.writev = [](int fd, iovec* parts, int count, void*) { return writev(fd, parts, count); };
    ASSERT_EQ(fuse_session_custom_io(session_.get(), &io, ends[1]), 0);
    fuse_init_in init = {};
    init.major = FUSE_KERNEL_VERSION;
    init.minor = FUSE_KERNEL_MINOR_VERSION;
    asks(FUSE_INIT, 2, init);
    ASSERT_EQ(answers().size(), 1U);
  }
  void TearDown() override {
    session_.reset();  // closes its own end
    close(kernel_);
  }

  template <class Body>
  void asks(std::uint32_t opcode, std::uint64_t unique, const Body& body) {
    fuse_in_header header = {};
    header.len = sizeof header + sizeof body;
    header.opcode = opcode;
    header.unique = unique;
    iovec parts[] = {{&header, sizeof header}, {const_cast<Body*>(&body), sizeof body}};
    ASSERT_EQ(writev(kernel_, parts, 2), static_cast<ssize_t>(header.len));
    fuse_buf request = {};
    const std::unique_ptr<fuse_buf, void (*)(fuse_buf*)> freed(
        &request, [](fuse_buf* buffer) { std::free(buffer->mem); });  // NOLINT: libfuse's malloc
    ASSERT_GT(fuse_session_receive_buf(session_.get(), &request), 0);
    interrupts_.received(request);
    fuse_session_process_buf(session_.get(), &request);
  }

  // The kernel's numbers of interrupts are odd.
  void interrupts_one_answered(std::uint64_t unique) {
    fuse_interrupt_in body = {};
    body.unique = unique;
    asks(FUSE_INTERRUPT, unique | 1U, body);
  }

  std::vector<fuse_out_header> answers() {
    std::vector<fuse_out_header> all;
    struct {
      fuse_out_header header;
      char body[4096];
    } answer;
    while (read(kernel_, &answer, sizeof answer) > 0) all.push_back(answer.header);
    return all;
  }

  struct Destroy {
    void operator()(fuse_session* session) const { fuse_session_destroy(session); }
  };
  std::unique_ptr<fuse_session, Destroy> session_;
  int kernel_ = -1;
  std::uint64_t asked_ = 0;  // requests that ask for nothing
  LateInterrupts interrupts_;
};

// What libfuse would keep beyond the session's end AddressSanitizer tells as leaked.
TEST_F(LateInterruptsTest, AreFreedBeforeTheSessionEnds) {
  for (const std::uint64_t unique : {10, 12, 14}) interrupts_one_answered(unique);
  ASSERT_TRUE(answers().empty());
  interrupts_.release(session_.get());
  const auto handed_back = answers();
  ASSERT_EQ(handed_back.size(), 3U);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(handed_back[i].unique, 11 + 2 * i);
    EXPECT_EQ(handed_back[i].error, -EAGAIN);
  }
}

TEST_F(LateInterruptsTest, ThatAnotherRequestTookAlongAreNotMissed) {
  interrupts_one_answered(10);
  asks(FUSE_BATCH_FORGET, 12, fuse_batch_forget_in{});
  EXPECT_EQ(answers().size(), 1U);
  interrupts_.release(session_.get());
  EXPECT_TRUE(answers().empty());
}

// A mount of years has received millions, of which libfuse keeps next to none.
TEST_F(LateInterruptsTest, ThatWereManyDoNotMakeTheEndLong) {
  fuse_in_header header = {};
  header.opcode = FUSE_INTERRUPT;
  fuse_buf request = {};
  request.mem = &header;
  for (int i = 0; i < 1'000'000; ++i) interrupts_.received(request);
  interrupts_.release(session_.get());
  EXPECT_EQ(asked_, LateInterrupts::kMost);
}

TEST_F(LateInterruptsTest, WhereNoneCameNothingIsAsked) {
  interrupts_.release(session_.get());
  EXPECT_TRUE(answers().empty());
}

}  // namespace
}  // namespace skimfs::test

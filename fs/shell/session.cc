// SPDX-License-Identifier: MIT
#include "fs/shell/session.h"

#include <linux/fuse.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdarg>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <new>
#include <system_error>
#include <utility>

#include "fs/log.h"
#include "fs/shell/mount_error.h"

namespace skimfs::fs::shell {
namespace {

// Only its arrival matters: it ends a worker's read(2).
int wake_signal() noexcept { return SIGRTMIN; }

void install_wake_signal() {
  struct sigaction action = {};
  action.sa_handler = [](int) {};
  action.sa_flags = 0;  // no SA_RESTART: read(2) returns EINTR
  if (sigaction(wake_signal(), &action, nullptr) != 0)
    throw std::system_error(errno, std::generic_category(), "sigaction");
}

void accept_wake_signal() noexcept {
  sigset_t wake;
  sigemptyset(&wake);
  sigaddset(&wake, wake_signal());
  pthread_sigmask(SIG_UNBLOCK, &wake, nullptr);
}

// libfuse's own complaints join our log, while there is memory: that there is none is one of them.
void log_for_libfuse(fuse_log_level level, const char* format, va_list arguments) noexcept {
  std::array<char, 512> line;
  std::vsnprintf(line.data(), line.size(), format, arguments);
  try {
    log::event(level <= FUSE_LOG_ERR ? log::Level::error : log::Level::debug, "libfuse", "",
               "text=" + log::escape(line.data()));
  } catch (const std::bad_alloc&) {
    // One line less.
  }
}

ssize_t read_request(int fd, void* buffer, std::size_t size, void* /*served*/) noexcept {
  return read(fd, buffer, size);
}

// libfuse before 3.17 does not pass FUSE_CAP_PARALLEL_DIROPS on (its pull request 861), and the
// kernel then has one lookup at a time in a directory: one that waits for a server would hold up
// all others.  So the flag joins the answer to FUSE_INIT here; this can go when 3.17 is the floor.
ssize_t write_reply(int fd, iovec* parts, int count, void* data) noexcept {
  Served& served = *static_cast<Served*>(data);
  if (served.add_parallel_lookups && count == 2 &&
      parts[1].iov_len >= offsetof(fuse_init_out, flags) + sizeof(fuse_init_out::flags)) {
    static_cast<fuse_init_out*>(parts[1].iov_base)->flags |= FUSE_PARALLEL_DIROPS;
    served.add_parallel_lookups = false;
  }
  return writev(fd, parts, count);
}

// The memory libfuse reads requests into; only the pages of the longest request are ever touched.
class RequestBuffer {
 public:
  RequestBuffer() = default;
  ~RequestBuffer() { std::free(buffer_.mem); }  // NOLINT: libfuse allocated it with malloc
  RequestBuffer(const RequestBuffer&) = delete;
  RequestBuffer& operator=(const RequestBuffer&) = delete;

  // Receives and answers one request.  false: the session has ended.
  bool serve_one(fuse_session* session, LateInterrupts& late) {
    const int got = fuse_session_receive_buf(session, &buffer_);
    if (got == -EINTR || got == -EAGAIN) return fuse_session_exited(session) == 0;
    if (got <= 0) return false;
    late.received(buffer_);
    fuse_session_process_buf(session, &buffer_);
    return true;
  }

 private:
  fuse_buf buffer_ = {};
};

}  // namespace

Session::Session(int device, Served& served) {
  fuse_set_log_func(log_for_libfuse);
  std::string name = "skimfs";
  char* arguments[] = {name.data(), nullptr};
  fuse_args words = FUSE_ARGS_INIT(1, arguments);
  const fuse_lowlevel_ops& ops = fuse_ops();
  session_.reset(fuse_session_new(&words, &ops, sizeof ops, &served));
  fuse_opt_free_args(&words);
  fuse_custom_io io = {};
  io.read = read_request;
  io.writev = write_reply;
  if (!session_ || fuse_session_custom_io(session_.get(), &io, device) != 0) {
    close(device);
    throw std::system_error(ENOMEM, std::generic_category(), "FUSE session");
  }
}

Session::~Session() { stop(); }

void Session::shake_hands(std::chrono::milliseconds at_most) {
  pollfd device{fuse_session_fd(session_.get()), POLLIN, 0};
  RequestBuffer buffer;
  if (poll(&device, 1, static_cast<int>(at_most.count())) <= 0 ||
      !buffer.serve_one(session_.get(), late_interrupts_) ||
      fuse_session_exited(session_.get()) != 0)
    throw MountError(kMountFailed, "the kernel and libfuse could not agree (FUSE_INIT)");
}

void Session::start(unsigned workers, std::function<void()> ended) {
  install_wake_signal();
  for (unsigned i = 0; i < workers; ++i) {
    {
      const std::lock_guard lock(mutex_);
      ++running_;
    }
    try {
      workers_.emplace_back([this, ended] { serve(ended); });
    } catch (...) {
      const std::lock_guard lock(mutex_);
      --running_;
      throw;
    }
  }
}

void Session::serve(const std::function<void()>& ended) {
  accept_wake_signal();
  {
    RequestBuffer buffer;
    while (buffer.serve_one(session_.get(), late_interrupts_)) {
    }
  }
  fuse_session_exit(session_.get());  // a worker that cannot go on takes the others along
  bool tell = false;
  {
    const std::lock_guard lock(mutex_);
    tell = !stopping_ && !std::exchange(end_was_told_, true);
  }
  if (tell) ended();
  {
    const std::lock_guard lock(mutex_);
    --running_;
  }
  one_less_.notify_all();
}

// An inode that the kernel does not know is no failure: it has nothing to forget.
void Session::forget_attributes(Inode inode) noexcept {
  fuse_lowlevel_notify_inval_inode(session_.get(), inode, -1, 0);
}

void Session::forget_contents(Inode inode) noexcept {
  fuse_lowlevel_notify_inval_inode(session_.get(), inode, 0, 0);
}

void Session::stop() noexcept {
  if (!session_) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  fuse_session_exit(session_.get());
  {
    // A signal that comes just before read(2) is lost: hence again, until none is left.
    std::unique_lock lock(mutex_);
    while (running_ > 0) {
      lock.unlock();
      for (std::thread& worker : workers_) pthread_kill(worker.native_handle(), wake_signal());
      lock.lock();
      one_less_.wait_for(lock, std::chrono::milliseconds(5), [this] { return running_ == 0; });
    }
  }
  for (std::thread& worker : workers_) worker.join();
  workers_.clear();
  late_interrupts_.release(session_.get());
}

}  // namespace skimfs::fs::shell

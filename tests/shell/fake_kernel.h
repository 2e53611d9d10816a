// SPDX-License-Identifier: MIT
//
// Requests as libfuse keeps them, without a kernel: arming and the interrupt callback run under the
// request's own mutex, and a reply ends the request.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>

#include "fs/operation.h"
#include "fs/shell/replies.h"

namespace skimfs::test {

class FakeRequest {
 public:
  fuse_req_t handle() noexcept { return reinterpret_cast<fuse_req_t>(this); }
  static FakeRequest& of(fuse_req_t handle) noexcept {
    return *reinterpret_cast<FakeRequest*>(handle);
  }

  // What libfuse does with a FUSE_INTERRUPT (find_interrupted).
  void interrupt() {
    const std::lock_guard lock(mutex_);
    interrupted_ = true;
    if (call_ != nullptr) call_back();
  }

  // fuse_req_interrupt_func().
  void on_interrupt(fuse_interrupt_func_t call, void* data) {
    const std::lock_guard lock(mutex_);
    EXPECT_EQ(answers, 0) << "a reply has freed the request";
    call_ = call;
    data_ = data;
    if (interrupted_ && call != nullptr) call_back();
  }

  void answer(int result) {
    ASSERT_NE(called_back_, std::this_thread::get_id()) << "replied inside the interrupt callback";
    EXPECT_FALSE(armed()) << "replied while armed";
    error = result;
    ++answers;
  }

  bool armed() {
    const std::lock_guard lock(mutex_);
    return call_ != nullptr;
  }

  std::atomic<int> answers{0};
  std::atomic<int> error{-1};  // of the last answer; 0: it succeeded

 private:
  void call_back() {
    called_back_ = std::this_thread::get_id();
    call_(handle(), data_);
    called_back_ = std::thread::id();
  }

  std::mutex mutex_;
  std::atomic<std::thread::id> called_back_{};  // who is inside the interrupt callback
  bool interrupted_ = false;
  fuse_interrupt_func_t call_ = nullptr;
  void* data_ = nullptr;
};

struct FakeReplies final : fs::shell::Replies {
  std::function<void()> before_disarming;

  void on_interrupt(fuse_req_t request, fuse_interrupt_func_t call, void* data) noexcept override {
    if (call == nullptr && before_disarming) before_disarming();
    FakeRequest::of(request).on_interrupt(call, data);
  }
  void read(fuse_req_t request, const fs::ReadView&) noexcept override {
    FakeRequest::of(request).answer(0);
  }
  void entry(fuse_req_t request, const fs::Node&) noexcept override {
    FakeRequest::of(request).answer(0);
  }
  void opened(fuse_req_t request, std::shared_ptr<fs::OpenFile>) noexcept override {
    FakeRequest::of(request).answer(0);
  }
  void fail(fuse_req_t request, int error) noexcept override {
    FakeRequest::of(request).answer(error);
  }
};

struct CountingOperation final : fs::Operation {
  void overdue() noexcept override { ++overdue_told; }
  void abandon() noexcept override { ++abandoned; }
  std::atomic<int> overdue_told{0}, abandoned{0};
};

}  // namespace skimfs::test

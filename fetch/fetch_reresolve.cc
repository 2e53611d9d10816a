// SPDX-License-Identifier: MIT
//
// Redirect targets that have expired: many orders find out at once, one goes to the origin, and the
// others follow it to where it finds an answer.
#include "fetch/error.h"
#include "fetch/fetch_order.h"

namespace skimfs::fetch {

// Where the origin redirects to is true for a while only.
void FetchLoop::reresolve(Order& order) {
  const RedirectMemory::Target* known = redirects_.find(order.asked());
  const bool answered = known && !(known->url == order.target);  // somebody has asked already
  if (!answered) redirects_.expire(order.asked());
  set_out(order);
  order.remembered = false;  // what it finds now is believed
  if (answered) return enqueue(order);
  order.question = order.asked().text();
  if (reresolving_.lead(order.question, order.age)) return enqueue(order);
  order.state = Order::State::waiting;
  set_timer(order, order.deadline);
}

// An accepted answer: where it came from is where to ask.  One of a remembered target tells nothing
// new; the target may have expired since it was asked.
void FetchLoop::learn_target(const Order& order) {
  if (order.remembered && order.hops == 0) return;
  if (order.target == order.origin())
    redirects_.forget(order.asked());
  else
    redirects_.remember(order.asked(), {order.target, order.from_public});
}

// An accepted answer: those who wait for it go to where it came from.
void FetchLoop::resolved(Order& order) {
  if (order.question.empty()) return;
  for (const Age age : reresolving_.leave(std::exchange(order.question, {}), order.age)) {
    Order& other = *orders_.at(age);
    other.question.clear();
    serve(&other, [&] {
      other.from_public = order.from_public;
      aim(other, order.target);
      enqueue(other);
    });
  }
}

// The order no longer asks, or waits for who does.  A lasting refusal holds for all; after anything
// else the next one asks.
void FetchLoop::unresolved(Order& order, std::error_code outcome) noexcept {
  if (order.question.empty()) return;
  const bool lasting =
      outcome == Errc::denied || outcome == Errc::missing || outcome == Errc::redirect_refused;
  for (const Age age : reresolving_.leave(std::exchange(order.question, {}), order.age)) {
    Order& other = *orders_.at(age);
    other.question.clear();
    serve(&other, [&] {
      if (lasting)
        pass_over(other, outcome, "reresolve", "as another request heard");
      else
        reresolve(other);
    });
  }
}

}  // namespace skimfs::fetch

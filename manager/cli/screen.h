#pragma once

#include <termios.h>

#include <csignal>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "manager/cli/layout.h"

namespace hostq::cli {

// The whole terminal for a live view: a screen of its own without a cursor, keys as they are typed.
// What was there before comes back when it goes, when the program is stopped (Ctrl-Z), and before
// it is ended by a signal. To be opened before there are other threads: they leave the signals to
// it. Used by one thread.
class Screen {
 public:
  // Errors: FAILED_PRECONDITION: standard input or output is no terminal.
  static absl::StatusOr<std::unique_ptr<Screen>> Open();
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  // Lines that do not fit below each other are left out; the last one then says so.
  void Draw(absl::string_view text);

  enum class Next { kNothing, kKey, kResized, kEnd };
  // Blocks at most so long. kKey: `key` is what was typed. kEnd: Ctrl-C, or a signal that ends the
  // program (see signal_number()).
  Next Wait(absl::Duration timeout, char& key);

  size_t width() const { return width_; }
  size_t height() const { return height_; }
  // SIGTERM or SIGHUP if one of them has come; otherwise 0.
  int signal_number() const { return signal_number_; }

 private:
  Screen(const termios& before, int signals);
  void Enter();
  void Leave();
  void Measure();
  Next Handle(int signal_number);

  const termios before_;
  sigset_t mask_before_{};
  const int signals_;  // a signalfd
  bool entered_ = false;
  size_t width_ = 80;
  size_t height_ = 24;
  int signal_number_ = 0;
};

// Ends the program as the signal would have ended it.
[[noreturn]] void EndBySignal(int signal_number);

}  // namespace hostq::cli

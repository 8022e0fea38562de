// What a person sees while a model trains; see Progress.h. The layout is that of Keras 3's Progbar.
#include "runtime/train/Progress.h"

#include "runtime/Error.h"

#include <algorithm>
#include <cmath>
#include <sys/ioctl.h>
#include <unistd.h>

namespace formwork::runtime {

static constexpr int barWidth = 20;

Display displayFor(FILE *stream) { return isatty(fileno(stream)) ? Display::Bar : Display::Lines; }

/// Of several numbers, their mean, as Keras shows them; without the sign that printf would show of
/// what is no number.
static double shown(const std::vector<double> &numbers) {
  double sum = 0;
  for (double number : numbers)
    sum += number;
  double mean = sum / double(numbers.size());
  return std::isnan(mean) ? NAN : mean;
}

std::string formatMetrics(Metrics::Values values) {
  std::sort(values.begin(), values.end());
  std::string result;
  for (auto &[name, numbers] : values) {
    double value = shown(numbers);
    result += result.empty() ? "" : " - ";
    result += printable(name) + text(std::fabs(value) > 1e-3 ? ": %.4f" : ": %.4e", value);
  }
  return result;
}

static std::string formatStepTime(double seconds) {
  if (seconds >= 1 || seconds == 0)
    return text("%.0fs/step", seconds);
  return seconds >= 1e-3 ? text("%.0fms/step", seconds * 1e3) : text("%.0fus/step", seconds * 1e6);
}

static std::string formatRemaining(double seconds) {
  auto whole = (long long)(seconds);
  if (whole > 3600)
    return text("%lld:%02lld:%02lld", whole / 3600, whole % 3600 / 60, whole % 60);
  return whole > 60 ? text("%lld:%02lld", whole / 60, whole % 60) : text("%llds", whole);
}

/// Cuts a line to so many columns. Escape sequences take none, a UTF-8 character takes one.
static std::string cut(const std::string &line, int columns) {
  std::string result;
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b') {
      size_t end = std::min(line.find('m', i), line.size() - 1);
      result.append(line, i, end - i + 1);
      i = end;
      continue;
    }
    bool continuation = (line[i] & 0xC0) == 0x80;
    if (!continuation && columns-- <= 0)
      break;
    result += line[i];
  }
  return result + "\x1b[0m";
}

static int terminalColumns(FILE *stream) {
  winsize size = {};
  return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : 80;
}

double Progress::secondsSince(Clock::time_point since) const {
  return std::chrono::duration<double>(Clock::now() - since).count();
}

void Progress::begin(const std::string &newTitle, int64_t count) {
  title = newTitle;
  steps = count;
  start = lastShown = Clock::now();
  if (display == Display::Bar && !title.empty())
    fprintf(stream, "%s\n", title.c_str());
}

bool Progress::due() {
  return display == Display::Bar && Clock::now() - lastShown >= std::chrono::milliseconds(50);
}

std::string Progress::line(int64_t done, const Metrics::Values &values, bool final) const {
  double elapsed = secondsSince(start), perStep = done ? elapsed / double(done) : 0;
  std::string time =
      final ? text("%.0fs", elapsed) : formatRemaining(perStep * double(steps - done));
  int digits = int(std::to_string(steps).size());
  std::string counts = text("%*lld/%lld", digits, (long long)done, (long long)steps);
  std::string metrics = formatMetrics(values);
  std::string separator = metrics.empty() ? "" : " - ";
  if (display != Display::Bar)
    return (title.empty() ? "" : title + " - ") + counts + " - " + time + " - " +
           formatStepTime(perStep) + separator + metrics;
  int filled = steps ? int(barWidth * done / steps) : barWidth;
  std::string full, rest;
  for (int i = 0; i < barWidth; ++i)
    (i < filled ? full : rest) += "━";
  return "\x1b[1m" + counts + "\x1b[0m \x1b[32m" + full + "\x1b[0m\x1b[37m" + rest +
         "\x1b[0m \x1b[1m" + time + "\x1b[0m " + formatStepTime(perStep) + separator + metrics;
}

void Progress::show(int64_t done, const Metrics::Values &values) {
  // One write per frame, and only the end of the line is cleared: nothing flickers.
  std::string frame = "\r" + cut(line(done, values, false), terminalColumns(stream) - 1) + "\x1b[K";
  fwrite(frame.data(), 1, frame.size(), stream);
  fflush(stream);
  lastShown = Clock::now();
}

void Progress::finish(int64_t done, const Metrics::Values &values) {
  if (display == Display::Silent)
    return;
  std::string last = line(done, values, true);
  if (display == Display::Bar)
    last = "\r" + last + "\x1b[K";
  fprintf(stream, "%s\n", last.c_str());
  fflush(stream);
}

void Progress::note(const std::string &words) {
  if (display == Display::Bar)
    fputs("\r\x1b[K", stream);
  fflush(stream);
  fprintf(stderr, "%s\n", words.c_str());
}

} // namespace formwork::runtime

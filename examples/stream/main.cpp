// A device that learns where it runs: from a stream of samples, a small batch at a time, without an
// operating system's help.
//
// All memory is here before the program starts: sizes are constants of the model's header. The same
// loop runs on a microcontroller. Each batch is first predicted and only then learned from, so that
// the error shown is always that on samples never seen before.
#include <meter.h>

#include <cmath>
#include <cstdio>
#include <cstring>

namespace {

constexpr int64_t batch = 8;

constexpr int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }

alignas(64) unsigned char state[METER_STATE_SIZE];
alignas(64) unsigned char arena[larger(larger(METER_TRAIN_STEP_ARENA_SIZE_8,
                                              METER_PREDICT_ARENA_SIZE_8),
                                       larger(METER_INIT_ARENA_SIZE, 1))];
alignas(64) unsigned char saved[METER_STATE_SIZE];

/// The world: three sensors and the power that belongs to them, which after half of the time is
/// another, as when a part of the machine is replaced.
class World {
public:
  void sample(float *sensors, float *power) {
    for (int i = 0; i < 3; ++i)
      sensors[i] = noise();
    *power = std::sin(2 * sensors[0]) + sensors[1] * sensors[2] + (replaced() ? 1.5f : 0);
    ++time;
  }
  bool replaced() const { return time >= 8000; }

private:
  float noise() { // uniform in [-1, 1]
    seed = seed * 1664525 + 1013904223;
    return static_cast<float>(seed >> 8) / 8388608.0f - 1;
  }
  uint32_t seed = 1;
  int time = 0;
};

} // namespace

int main() {
  const formwork_context context = {};
  const int64_t seed = 0;
  if (meter_init(&context, state, arena, &seed) != FORMWORK_OK)
    return 1;
  std::printf("%lld bytes of state, %zu of scratch\n", static_cast<long long>(METER_STATE_SIZE),
              sizeof(arena));

  World world;
  float sensors[batch * 3], power[batch], guess[batch], loss;
  double first = 0, settled = 0, surprised = 0, last = 0;
  for (int window = 0; window < 20; ++window) {
    double error = 0;
    for (int step = 0; step < 100; ++step) {
      for (int i = 0; i < batch; ++i)
        world.sample(sensors + 3 * i, power + i);
      if (meter_predict(&context, state, arena, batch, sensors, guess) != FORMWORK_OK ||
          meter_train_step(&context, state, arena, batch, sensors, power, &loss) != FORMWORK_OK)
        return 1;
      for (int i = 0; i < batch; ++i)
        error += std::fabs(guess[i] - power[i]) / (100 * batch);
    }
    std::printf("after %5d samples: mean error %.3f%s\n", (window + 1) * 800, error,
                window == 10 ? "   <- the machine is another" : "");
    first = window == 0 ? error : first;
    settled = window == 9 ? error : settled;
    surprised = window == 10 ? error : surprised;
    last = error;
  }

  // The state is bytes: kept in flash or a file, it goes on from there, optimizer and all.
  std::memcpy(saved, state, sizeof(state));
  if (meter_train_step(&context, state, arena, batch, sensors, power, &loss) != FORMWORK_OK ||
      meter_train_step(&context, saved, arena, batch, sensors, power, &loss) != FORMWORK_OK ||
      std::memcmp(saved, state, sizeof(state)) != 0)
    return 1;

  bool learned = settled < first / 2 && surprised > 1.5 * settled && last < surprised / 2;
  return learned ? 0 : 1;
}

// The same model as a library, as C++ that this build has compiled, and as a library whose weights
// are in a file of their own: the same numbers.
#include <pilot.h>
#include <pilot_outside.h>
#include <pilot_source.h>

#include <cstdio>
#include <fstream>

namespace {

struct Gradient {
  float position[3];
};

template <typename Model> Gradient gradientOf(Model &model) {
  const float position[3] = {0.1f, 0.2f, 0.3f}, wind[2] = {1, 2}, one = 1, none[2] = {};
  Gradient gradient = {};
  float unused[2];
  if (model.input_gradients(1, position, wind, &one, none, gradient.position, unused) !=
      FORMWORK_OK)
    gradient = {};
  return gradient;
}

bool agree(const char *what, const Gradient &a, const Gradient &b) {
  for (int i = 0; i < 3; ++i)
    if (a.position[i] != b.position[i] || a.position[i] == 0) {
      std::fprintf(stderr, "from_source: %s: %g is not %g\n", what, a.position[i], b.position[i]);
      return false;
    }
  return true;
}

} // namespace

int main() {
  alignas(64) static char weights[PILOT_OUTSIDE_CONSTANTS_SIZE];
  if (!std::ifstream(WEIGHTS, std::ios::binary).read(weights, sizeof weights)) {
    std::fprintf(stderr, "from_source: cannot read %s\n", WEIGHTS);
    return 1;
  }
  formwork::pilot object;
  formwork::pilot_source source;
  formwork::pilot_outside outside(weights);
  Gradient expected = gradientOf(object);
  if (!agree("source", gradientOf(source), expected) ||
      !agree("weights outside", gradientOf(outside), expected))
    return 1;
  std::printf("source, object and weights outside agree\n");
}

// The same model as a library and as C++ that this build has compiled: the same numbers.
#include <pilot.h>
#include <pilot_source.h>

#include <cmath>
#include <cstdio>

int main() {
  formwork::pilot object;
  formwork::pilot_source source;
  const float position[3] = {0.1f, 0.2f, 0.3f}, wind[2] = {1, 2}, one = 1, none[2] = {};
  float a[3], b[3], unused[2];
  if (object.input_gradients(1, position, wind, &one, none, a, unused) != FORMWORK_OK ||
      source.input_gradients(1, position, wind, &one, none, b, unused) != FORMWORK_OK)
    return 1;
  for (int i = 0; i < 3; ++i)
    if (a[i] != b[i] || a[i] == 0) {
      std::fprintf(stderr, "from_source: %g is not %g\n", a[i], b[i]);
      return 1;
    }
  std::printf("source and object agree\n");
}

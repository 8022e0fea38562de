// A program that has a model inside: reads images of digits, says what they show.
//
// Each line of the file is a digit and its 64 pixels, counts from 0 to 16. Nothing is loaded when
// the program starts; the weights are constants in it.
#include <digits.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <fstream>

int main(int argc, char **argv) {
  std::ifstream file(argc == 2 ? argv[1] : "images.txt");
  if (!file) {
    std::fprintf(stderr, "usage: reader IMAGES\n");
    return 2;
  }
  formwork::digits model; // owns the scratch memory that calls need; one thread at a time
  std::array<float, 64> image;
  std::array<float, 10> probabilities;
  int digit, right = 0, all = 0;
  while (file >> digit) {
    for (float &pixel : image) {
      file >> pixel;
      pixel /= 16;
    }
    if (!file || model.predict(1, image.data(), probabilities.data()) != FORMWORK_OK) {
      std::fprintf(stderr, "line %d is not a digit and 64 pixels\n", all + 1);
      return 1;
    }
    auto best = std::max_element(probabilities.begin(), probabilities.end());
    int answer = static_cast<int>(best - probabilities.begin());
    std::printf("a %d, taken for a %d with %.1f %%\n", digit, answer, 100 * *best);
    right += answer == digit;
    ++all;
  }
  std::printf("%d of %d right\n", right, all);
  return right * 10 < all * 9; // far from what the model can: something is wrong
}

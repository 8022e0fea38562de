// A produced program's `main`, around the hand-written model.
#include "runtime/formwork_runtime.h"
#include "tests/runtime/linear_model.h"

int main(int argc, char **argv) { return formwork_main(argc, argv, linear_model()); }

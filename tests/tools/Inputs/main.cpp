// What a program of digits is made of beside its source: the runtime.
#include "digits.h"

extern "C" int formwork_main(int argc, char **argv, const formwork_model *model);

int main(int argc, char **argv) { return formwork_main(argc, argv, digits_model()); }

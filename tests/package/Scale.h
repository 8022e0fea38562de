// A model small enough to write its compiled functions by hand (scale.c): y = factor * x.
#pragma once

#include "codegen/package/Description.h"

#include <algorithm>

namespace formwork::package {

/// With `factor` in constants, or (trains) in state.
inline Description scaleModel(bool trains, float factor = 3) {
  Tensor x{"x", FORMWORK_INPUT, FORMWORK_F32, {-1, 2}};
  Tensor y{"y", FORMWORK_OUTPUT, FORMWORK_F32, {-1, 2}, 0, /*written=*/true};
  Tensor target{"y", FORMWORK_TARGET, FORMWORK_F32, {-1, 2}};
  Tensor loss{"loss", FORMWORK_LOSS, FORMWORK_F32, {}, 0, /*written=*/true};
  Tensor seed{"seed", FORMWORK_SEED, FORMWORK_I64, {}};

  Description model;
  model.name = "scale";
  model.target = "x86_64-linux-gnu generic";
  model.config = R"({"class_name": "Functional"})";
  model.variables = {
      {"scale/factor", "layers/scale/vars/0", FORMWORK_WEIGHT, FORMWORK_F32, trains, {}, 0, 0, ""}};
  model.entries = {{"predict",
                    {"batch"},
                    {x, y},
                    {{{{32}}, "scale_predict__32", "scale_predict_arena__32", 0},
                     {{}, "scale_predict__any", "scale_predict_arena__any", {}}}}};
  std::vector<char> bytes(64);
  std::copy_n(reinterpret_cast<const char *>(&factor), sizeof(factor), bytes.begin());
  if (!trains) {
    model.constants = bytes;
    model.constantsSize = bytes.size();
    return model;
  }
  model.stateSize = bytes.size();
  model.compileConfig = R"({"optimizer": "sgd"})";
  model.entries.push_back({"train_step",
                           {"batch"},
                           {x, target, loss},
                           {{{}, "scale_train_step__any", "scale_train_step_arena__any", {}}}});
  model.entries.push_back(
      {"init", {}, {seed}, {{{}, "scale_init__any", "scale_init_arena__any", 0}}});
  return model;
}

} // namespace formwork::package

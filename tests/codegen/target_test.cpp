// What --target may name, and what compiling for GPUs reads of its tools.
#include "codegen/Target.h"
#include "codegen/cuda/Nvrtc.h"

#include <gtest/gtest.h>

using namespace formwork;

static std::string problemOf(llvm::StringRef names) {
  std::string problem;
  EXPECT_FALSE(chooseTarget(names, problem).has_value()) << names.str();
  return problem;
}

TEST(Target, EveryMachineHasANameOfItsOwnAndAHelpText) {
  std::set<std::string> names;
  for (const Target *target : targets())
    for (const Machine &machine : target->machines()) {
      EXPECT_TRUE(names.insert(machine.name.str()).second) << machine.name.str();
      EXPECT_FALSE(machine.help.empty());
    }
  EXPECT_TRUE(names.count("host") && names.count("cuda:sm_90"));
}

TEST(Target, AGpuAloneHasItsHostCodeForThisMachine) {
  std::string problem;
  auto choice = chooseTarget("cuda:sm_90", problem);
  ASSERT_TRUE(choice.has_value()) << problem;
  EXPECT_FALSE(choice->onHost);
  EXPECT_EQ(choice->host.name, "host");
  ASSERT_TRUE(choice->accelerator);
  EXPECT_EQ(choice->accelerated.size(), 1u);
}

TEST(Target, ACpuMayStandBesideSeveralGpus) {
  std::string problem;
  auto choice = chooseTarget("cuda:sm_80, x86-64-v3,cuda:sm_90", problem);
  ASSERT_TRUE(choice.has_value()) << problem;
  EXPECT_TRUE(choice->onHost);
  EXPECT_EQ(choice->host.name, "x86-64-v3");
  EXPECT_EQ(choice->accelerated.size(), 2u);
}

TEST(Target, WhatDoesNotFitTogetherIsToldByName) {
  EXPECT_NE(problemOf("cuda:sm_1").find("no target 'cuda:sm_1', only "), std::string::npos);
  EXPECT_NE(problemOf("host,").find("no target ''"), std::string::npos);
  EXPECT_NE(problemOf("host,x86-64-v4").find("both CPUs"), std::string::npos);
}

TEST(Architecture, NamesAreReadWholeOrNotAtAll) {
  auto exact = cuda::Architecture::parse("sm_90a");
  ASSERT_TRUE(exact.has_value());
  EXPECT_EQ(exact->capability, 90);
  EXPECT_TRUE(exact->exact);
  EXPECT_FALSE(cuda::Architecture::parse("sm_120")->exact);
  for (const char *wrong : {"", "sm_", "sm_90b", "sm_90aa", "90", "compute_90"})
    EXPECT_FALSE(cuda::Architecture::parse(wrong).has_value()) << wrong;
}

TEST(Architecture, EveryGpuThatCanBeNamedIsOne) {
  for (const Target *target : targets())
    for (const Machine &machine : target->machines())
      if (auto [kind, name] = machine.name.split(':'); kind == "cuda")
        EXPECT_TRUE(cuda::Architecture::parse(name).has_value()) << name.str();
}

TEST(Resources, AreReadFromTheAssemblersReport) {
  auto kernels = cuda::readResources(R"(ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_90'
ptxas info    : Function properties for first
ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 10 registers, used 0 barriers
ptxas info    : Compile time = 23.458 ms
ptxas info    : Compiling entry function 'second' for 'sm_90'
ptxas info    : Function properties for second
    48 bytes stack frame, 40 bytes spill stores, 44 bytes spill loads
ptxas info    : Used 255 registers, used 1 barriers, 48 bytes cumulative stack size, 9216 bytes smem)");
  ASSERT_EQ(kernels.size(), 2u);
  EXPECT_EQ(kernels[0].kernel, "first");
  EXPECT_EQ(kernels[0].registers, 10);
  EXPECT_EQ(kernels[0].spillBytes, 0);
  EXPECT_EQ(kernels[0].sharedBytes, 0);
  EXPECT_EQ(kernels[1].kernel, "second");
  EXPECT_EQ(kernels[1].registers, 255);
  EXPECT_EQ(kernels[1].stackBytes, 48);
  EXPECT_EQ(kernels[1].spillBytes, 40);
  EXPECT_EQ(kernels[1].sharedBytes, 9216);
}

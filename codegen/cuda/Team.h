// Writes a group in the form of teams.
#pragma once

#include "codegen/cuda/Writing.h"

namespace formwork::cuda {

class TeamWriter : public GroupWriter {
public:
  using GroupWriter::GroupWriter;
  mlir::Value blocks() override;
  void write(mlir::Value block) override;

private:
  int64_t pointsPerBlock() const { return state.threads / group.teams.threads; }
  void writeStatistics(const TeamStep &step, const Values &at);
  Values sumShare(const TeamStep &step, const Values &at, bool shared);
  Values sumStrided(llvm::ArrayRef<mlir::linalg::GenericOp> ops, llvm::ArrayRef<Dim> dims,
                    Values at, mlir::ValueRange carried, bool shared);
  mlir::Value combineTeam(mlir::Operation *combiner, mlir::Value partial);
  mlir::Value combineWarp(mlir::Operation *combiner, mlir::Value partial);
  mlir::Value throughMemory(mlir::Operation *combiner, mlir::Value partial, mlir::Value slot,
                            mlir::Value first, int64_t count, int64_t stride, int64_t slots);
  void writePass(const TeamStep &step, const Values &at);
  Storage storageFor(mlir::OpResult result);
  void keep(mlir::linalg::GenericOp op, const Values &at);

  mlir::Value member; // the thread's number in its team
  mlir::Value point;  // the team's number in the block
  mlir::Value active; // whether the team has a point of its own; null: all have
  llvm::DenseMap<mlir::Value, Storage> scratch;
};

} // namespace formwork::cuda

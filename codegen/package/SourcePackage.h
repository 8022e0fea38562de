// A package of source: a folder that a C++17 compiler makes a library of.
//
//   NAME.h  NAME.cpp ...     the interface and the code, NAME_model.cpp: the descriptor
//   formwork_vector.h        what the code needs of Formwork
//   NAME_weights.bin, .S     weights or initial state, where they are too large for text; the first
//                            alone where they are to be outside
//   CMakeLists.txt README.md how it is built and called
//   .formwork                the names of all these, so that they can be replaced another time
#pragma once

#include "codegen/Codegen.h"
#include "codegen/package/Description.h"

#include "llvm/Support/Error.h"

namespace formwork::package {

struct SourceOptions {
  /// How compilers are told the machine: "-march=native"; empty if they need not be.
  std::string machineOption;
};

/// All files of the package, in a fixed order.
std::vector<SourceFile> sourcePackage(const Description &description,
                                      llvm::ArrayRef<SourceFile> code,
                                      const SourceOptions &options);

/// Adds .formwork to the files of a folder.
void addFileList(std::vector<SourceFile> &files);

/// An error if writing a package to `folder` would destroy what is not Formwork's, or cannot work.
llvm::Error checkFolder(llvm::StringRef folder);

/// Makes `folder` of these files, all or none of them. A package that is there is replaced.
llvm::Error writeFolder(llvm::StringRef folder, llvm::ArrayRef<SourceFile> files);

} // namespace formwork::package

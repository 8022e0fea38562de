# What an installation has beside programs and libraries: packages for CMake and pkg-config, both of
# which work wherever the installation is moved. The same names serve builds that Formwork is a part
# of.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_executable(Formwork::formwork ALIAS formwork)
add_library(Formwork::runtime ALIAS formwork_runtime)
add_library(Formwork::cuda_runtime ALIAS formwork_cuda_runtime)
set_target_properties(formwork_runtime PROPERTIES EXPORT_NAME runtime)
set_target_properties(formwork_cuda_runtime PROPERTIES EXPORT_NAME cuda_runtime)
include(cmake/FormworkAddModel.cmake)

set(package_folder ${CMAKE_INSTALL_LIBDIR}/cmake/Formwork)
install(EXPORT FormworkTargets NAMESPACE Formwork:: DESTINATION ${package_folder})
configure_package_config_file(cmake/FormworkConfig.cmake.in
  ${PROJECT_BINARY_DIR}/cmake/FormworkConfig.cmake INSTALL_DESTINATION ${package_folder})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/cmake/FormworkConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES
  ${PROJECT_BINARY_DIR}/cmake/FormworkConfig.cmake
  ${PROJECT_BINARY_DIR}/cmake/FormworkConfigVersion.cmake
  cmake/FormworkAddModel.cmake
  DESTINATION ${package_folder})

file(RELATIVE_PATH FORMWORK_PREFIX_FROM_PKGCONFIG
  /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(cmake/formwork.pc.in ${PROJECT_BINARY_DIR}/cmake/formwork.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/cmake/formwork.pc
  DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

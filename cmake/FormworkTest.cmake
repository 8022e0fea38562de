# formwork_gtest(NAME SOURCES file... LIBRARIES library...)
# A GoogleTest program in bin/tests, where tests/run finds it. Those that link an MLIR room share
# the precompiled header.
function(formwork_gtest name)
  cmake_parse_arguments(PARSE_ARGV 1 TEST "" "" "SOURCES;LIBRARIES")
  add_executable(${name} ${TEST_SOURCES})
  target_link_libraries(${name} PRIVATE ${TEST_LIBRARIES} gtest gtest_main)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin/tests)
  if("${TEST_LIBRARIES}" MATCHES "formwork_(ir|passes|frontend|codegen|package|dialects|tools)")
    target_precompile_headers(${name} REUSE_FROM formwork_passes)
  endif()
endfunction()

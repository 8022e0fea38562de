# formwork_add_model: a model file as a library of the build.
#
#   formwork_add_model(NAME MODEL file        # .keras, .h5 or the JSON of model.to_json()
#     [TRAIN]                                 # train_step, evaluate_step, gradients, apply, init
#     [SAMPLE_WEIGHTS]                        # with TRAIN: these take a weight for each sample
#     [INPUT_GRADIENTS]                       # input_gradients, with TRAIN loss_input_gradients
#     [SIGNATURES 'x:f32[32,784]' ...]        # sizes to have functions of their own
#     [TARGETS host cuda:sm_90 ...]           # machines, as `formwork targets` lists them
#     [EMIT static|shared|cpp]                # static if not given
#     [WEIGHTS embed|external]                # external: apart from the library, in the file that is
#                                             # the target's property FORMWORK_WEIGHTS
#     [OPTIMIZER o] [LOSS l] [METRICS m ...] [LEARNING_RATE r]  # in place of what the file has
#     [FOLD_EMBEDDINGS bytes]                 # without TRAIN: so much more for faster embeddings
#     [MAX_ARENA bytes] [SEED n])
#   target_link_libraries(app PRIVATE NAME)   # #include <NAME.h>
#
# The library is made anew when the file or Formwork changes. Paths are relative to the folder that
# the call is in. EMIT cpp makes C++ that the build's own compiler translates, for cross-compiling
# too; its sources must be known before the build, so it needs a Formwork that is built already.
#
# Works with an installed Formwork (find_package) and with one that is a part of the build
# (add_subdirectory): Formwork::formwork is the compiler in both.
include_guard(GLOBAL)

function(_formwork_fail name problem)
  message(FATAL_ERROR "formwork_add_model(${name} ...): ${problem}")
endfunction()

# What can be known to be wrong before anything is built.
function(_formwork_check name)
  if(NOT name MATCHES "^[A-Za-z][A-Za-z0-9_]*$")
    _formwork_fail("${name}" "the name begins every function of the model: use letters, digits and "
                   "underscores, a letter first")
  endif()
  if(TARGET ${name})
    _formwork_fail(${name} "there is a target of that name; name the model otherwise")
  endif()
  if(MODEL_UNPARSED_ARGUMENTS)
    _formwork_fail(${name} "'${MODEL_UNPARSED_ARGUMENTS}' is nothing it takes; it takes MODEL, TRAIN, "
                   "SAMPLE_WEIGHTS, INPUT_GRADIENTS, SIGNATURES, TARGETS, EMIT, WEIGHTS, OPTIMIZER, LOSS, "
                   "METRICS, LEARNING_RATE, FOLD_EMBEDDINGS, MAX_ARENA and SEED")
  endif()
  if(MODEL_KEYWORDS_MISSING_VALUES)
    _formwork_fail(${name} "'${MODEL_KEYWORDS_MISSING_VALUES}' needs a value")
  endif()
  if(NOT MODEL_MODEL)
    _formwork_fail(${name} "MODEL is missing: name the model's file")
  endif()
  cmake_path(ABSOLUTE_PATH MODEL_MODEL BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE
             OUTPUT_VARIABLE file)
  set(file "${file}" PARENT_SCOPE)
  get_source_file_property(generated "${file}" GENERATED)
  if(NOT generated AND NOT EXISTS "${file}")
    _formwork_fail(${name} "there is no file '${file}'")
  endif()
  if(NOT MODEL_EMIT MATCHES "^(static|shared|cpp)$")
    _formwork_fail(${name} "EMIT ${MODEL_EMIT} is no kind of library: use static, shared or cpp")
  endif()
  if(DEFINED MODEL_WEIGHTS AND NOT MODEL_WEIGHTS MATCHES "^(embed|external)$")
    _formwork_fail(${name} "WEIGHTS ${MODEL_WEIGHTS} is no place for them: use embed or external")
  endif()
  if(NOT MODEL_TRAIN)
    if(MODEL_SAMPLE_WEIGHTS)
      _formwork_fail(${name} "SAMPLE_WEIGHTS is for training: add TRAIN, or leave it out")
    endif()
    foreach(setting OPTIMIZER LOSS METRICS LEARNING_RATE)
      if(DEFINED MODEL_${setting})
        _formwork_fail(${name} "${setting} is for training: add TRAIN, or leave it out")
      endif()
    endforeach()
  endif()
endfunction()

# The command line that the arguments mean, but for -o and --emit.
function(_formwork_options name result)
  set(options "${file}" --name=${name})
  if(MODEL_TRAIN)
    list(APPEND options --train)
  endif()
  if(MODEL_SAMPLE_WEIGHTS)
    list(APPEND options --sample-weights)
  endif()
  if(MODEL_INPUT_GRADIENTS)
    list(APPEND options --input-gradients)
  endif()
  foreach(signature IN LISTS MODEL_SIGNATURES)
    list(APPEND options "--signature=${signature}")
  endforeach()
  foreach(several TARGETS METRICS)
    if(DEFINED MODEL_${several})
      string(REPLACE ";" "," MODEL_${several} "${MODEL_${several}}")
    endif()
  endforeach()
  foreach(pair WEIGHTS=weights TARGETS=target METRICS=metrics OPTIMIZER=optimizer LOSS=loss SEED=seed
               LEARNING_RATE=learning-rate FOLD_EMBEDDINGS=fold-embeddings MAX_ARENA=max-arena)
    string(REPLACE "=" ";" pair ${pair})
    list(GET pair 0 argument)
    list(GET pair 1 option)
    if(DEFINED MODEL_${argument})
      list(APPEND options "--${option}=${MODEL_${argument}}")
    endif()
  endforeach()
  set(${result} "${options}" PARENT_SCOPE)
endfunction()

# A library that Formwork writes during the build.
function(_formwork_add_library name folder options)
  string(TOUPPER ${MODEL_EMIT} kind)
  set(library ${folder}/${CMAKE_${kind}_LIBRARY_PREFIX}${name}${CMAKE_${kind}_LIBRARY_SUFFIX})
  set(made ${library} ${folder}/${name}.h)
  if(MODEL_WEIGHTS STREQUAL external)
    list(APPEND made ${folder}/${name}_weights.bin)
  endif()
  add_custom_command(OUTPUT ${made}
    COMMAND Formwork::formwork compile ${options} -o ${library} --emit=${MODEL_EMIT}
    DEPENDS "${file}" $<TARGET_FILE:Formwork::formwork> $<TARGET_FILE:Formwork::cuda_runtime>
    COMMENT "Compiling the model ${name}"
    VERBATIM)
  add_custom_target(${name}_model DEPENDS ${made})
  add_library(${name} ${kind} IMPORTED GLOBAL)
  set_target_properties(${name} PROPERTIES
    IMPORTED_LOCATION ${library}
    INTERFACE_INCLUDE_DIRECTORIES ${folder})
  add_dependencies(${name} ${name}_model)
endfunction()

# A folder of C++, written while the build is configured, which is done again when the model changes.
function(_formwork_add_source name folder options)
  get_target_property(imported Formwork::formwork IMPORTED)
  if(NOT imported)
    _formwork_fail(${name} "EMIT cpp needs a Formwork that is built already, and here it is a part of "
                   "this build: install it and use find_package(Formwork), or use EMIT static")
  endif()
  get_target_property(program Formwork::formwork LOCATION)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${file}" "${program}")
  execute_process(COMMAND ${program} compile ${options} -o ${folder}/${name} --emit=cpp
                  RESULT_VARIABLE status ERROR_VARIABLE said)
  if(NOT status EQUAL 0)
    _formwork_fail(${name} "\n${said}")
  endif()
  add_subdirectory(${folder}/${name} ${folder}/build EXCLUDE_FROM_ALL)
endfunction()

function(formwork_add_model name)
  cmake_parse_arguments(PARSE_ARGV 1 MODEL "TRAIN;SAMPLE_WEIGHTS;INPUT_GRADIENTS"
    "MODEL;EMIT;WEIGHTS;OPTIMIZER;LOSS;LEARNING_RATE;FOLD_EMBEDDINGS;MAX_ARENA;SEED"
    "SIGNATURES;TARGETS;METRICS")
  if(NOT DEFINED MODEL_EMIT)
    set(MODEL_EMIT static)
  endif()
  _formwork_check("${name}") # and makes `file` of MODEL
  _formwork_options(${name} options)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/formwork/${name})
  file(MAKE_DIRECTORY ${folder})
  if(MODEL_EMIT STREQUAL cpp)
    _formwork_add_source(${name} ${folder} "${options}")
    set(weights ${folder}/${name}/${name}_weights.bin)
  else()
    _formwork_add_library(${name} ${folder} "${options}")
    set(weights ${folder}/${name}_weights.bin)
  endif()
  if(MODEL_WEIGHTS STREQUAL external)
    set_property(TARGET ${name} PROPERTY FORMWORK_WEIGHTS ${weights})
  endif()
endfunction()

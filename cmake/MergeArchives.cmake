# Adds the members of the static library ADDED to ARCHIVE.
# (LLVM's ar cannot open an archive in a script, GNU's can: a new one is made of both.)
file(WRITE ${ARCHIVE}.mri
  "create ${ARCHIVE}.merged\naddlib ${ARCHIVE}\naddlib ${ADDED}\nsave\nend\n")
execute_process(COMMAND ${AR} -M INPUT_FILE ${ARCHIVE}.mri COMMAND_ERROR_IS_FATAL ANY)
file(RENAME ${ARCHIVE}.merged ${ARCHIVE})
file(REMOVE ${ARCHIVE}.mri)

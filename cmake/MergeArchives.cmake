# Adds the members of the static library ADDED to ARCHIVE.
file(WRITE ${ARCHIVE}.mri "open ${ARCHIVE}\naddlib ${ADDED}\nsave\nend\n")
execute_process(COMMAND ${AR} -M INPUT_FILE ${ARCHIVE}.mri COMMAND_ERROR_IS_FATAL ANY)
file(REMOVE ${ARCHIVE}.mri)

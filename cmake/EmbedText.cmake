# cmake -DTEXT=file -DOUTPUT=file.inc -P EmbedText.cmake
# Writes a text as a C++ raw string literal.
file(READ ${TEXT} text)
file(WRITE ${OUTPUT} "R\"formwork(${text})formwork\"")

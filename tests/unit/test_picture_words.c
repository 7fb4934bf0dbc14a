/* As test_picture, with vectors made of words, as on hosts that have no SSE2. */
#undef __SSE2__

#include "stream/picture.c"
#include "tests/unit/test_picture.c"

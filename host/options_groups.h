/* Groups of options that several commands share, and how they refuse. Only for the files of options.h. */
#ifndef HOST_OPTIONS_GROUPS_H
#define HOST_OPTIONS_GROUPS_H

#include <argp.h>

/* options_show.c. Each one's input is a struct options. */
extern const struct argp options_line_argp; /* the line: run, view */
extern const struct argp options_show_argp; /* what is shown, kept and asked: run, view, replay */

/** Says what was expected of an option's argument. Returns EINVAL. */
int options_bad(const char *option, const char *arg, const char *expected);

/** Reads a number within bounds. Returns 0, or EINVAL having said why. */
int options_number(const char *option, const char *arg, unsigned min, unsigned max, unsigned *out);

#endif

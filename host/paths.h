/* Where the tool's files are: beside it in the build tree, or in PREFIX/share/tessera. */
#ifndef HOST_PATHS_H
#define HOST_PATHS_H

/** The directory that holds tessera.elf, tessera.iso and guest/. Never NULL: where none is found, the one beside the executable. */
const char *paths_share(void);

/** share/NAME, a new string. */
char *paths_in_share(const char *name);

/** Finds a program in PATH. Returns its path, a new string, or NULL. */
char *paths_program(const char *name);

/** The directory for control sockets of this user, made with mode 0700 if need be. NULL with a message when it cannot be trusted.
 */
char *paths_runtime(void);

#endif

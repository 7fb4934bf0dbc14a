/* tessera bench trace: what the codec makes of recordings. */
#ifndef HOST_BENCH_TRACE_H
#define HOST_BENCH_TRACE_H

/** argv[1] ...: options and recordings. Prints a line for each recording. Returns the exit status. */
int bench_trace(int argc, char **argv);

#endif

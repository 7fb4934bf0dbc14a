/* The subcommands. Each gets its own name as argv[0] and returns the exit status. */
#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H

int command_run(int argc, char **argv);
int command_view(int argc, char **argv);
int command_replay(int argc, char **argv);
int command_export(int argc, char **argv);
int command_ctl(int argc, char **argv);
int command_wait(int argc, char **argv);
int command_list(int argc, char **argv);
int command_doctor(int argc, char **argv);
int command_bench(int argc, char **argv);

/* What `tessera help COMMAND` prints, on stdout. */
void help_export(void);
void help_ctl(void);
void help_wait(void);
void help_list(void);
void help_doctor(void);
void help_bench(void);

#endif

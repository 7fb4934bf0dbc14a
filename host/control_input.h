/* `tessera ctl type, key, click`: input for the guest. */
#ifndef HOST_CONTROL_INPUT_H
#define HOST_CONTROL_INPUT_H

struct control_client;

/** type TEXT: presses and releases the keys of a US keyboard; \n is Enter, \t Tab, \\ a backslash. */
void control_type(struct control_client *c, const char *args);
/** key NAME...: the keys are pressed in order and released in reverse: `key ctrl alt delete`. */
void control_key(struct control_client *c, const char *args);
/** click HEAD X Y: moves the pointer there, presses the left button and releases it. */
void control_click(struct control_client *c, const char *args);

#endif

#include "host/keys.h"

#include <stddef.h>
#include <string.h>

#include <rfb/keysym.h>

/* The rows of printable keys, unshifted and shifted; the scancodes of each row follow one another. */
static const struct {
	uint16_t first;
	const char *plain, *shifted;
} rows[] = {
	{ 0x02, "1234567890-=", "!@#$%^&*()_+" },
	{ 0x10, "qwertyuiop[]", "QWERTYUIOP{}" },
	{ 0x1e, "asdfghjkl;'`", "ASDFGHJKL:\"~" },
	{ 0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?" },
	{ 0x39, " ", " " },
};

static const struct {
	uint32_t keysym;
	uint16_t code;
} others[] = {
	{ XK_Escape, 0x01 },
	{ XK_BackSpace, 0x0e },
	{ XK_Tab, 0x0f },
	{ XK_ISO_Left_Tab, 0x0f },
	{ XK_Return, 0x1c },
	{ XK_Control_L, 0x1d },
	{ XK_Control_R, 0xe01d },
	{ XK_Shift_L, 0x2a },
	{ XK_Shift_R, 0x36 },
	{ XK_Alt_L, 0x38 },
	{ XK_Meta_L, 0x38 },
	{ XK_Alt_R, 0xe038 },
	{ XK_Meta_R, 0xe038 },
	{ XK_ISO_Level3_Shift, 0xe038 },
	{ XK_Mode_switch, 0xe038 },
	{ XK_Super_L, 0xe05b },
	{ XK_Super_R, 0xe05c },
	{ XK_Menu, 0xe05d },
	{ XK_Caps_Lock, 0x3a },
	{ XK_Num_Lock, 0x45 },
	{ XK_Scroll_Lock, 0x46 },
	{ XK_F1, 0x3b },
	{ XK_F2, 0x3c },
	{ XK_F3, 0x3d },
	{ XK_F4, 0x3e },
	{ XK_F5, 0x3f },
	{ XK_F6, 0x40 },
	{ XK_F7, 0x41 },
	{ XK_F8, 0x42 },
	{ XK_F9, 0x43 },
	{ XK_F10, 0x44 },
	{ XK_F11, 0x57 },
	{ XK_F12, 0x58 },
	{ XK_Home, 0xe047 },
	{ XK_Up, 0xe048 },
	{ XK_Page_Up, 0xe049 },
	{ XK_Left, 0xe04b },
	{ XK_Right, 0xe04d },
	{ XK_End, 0xe04f },
	{ XK_Down, 0xe050 },
	{ XK_Page_Down, 0xe051 },
	{ XK_Insert, 0xe052 },
	{ XK_Delete, 0xe053 },
	{ XK_Print, 0xe037 },
	{ XK_KP_Enter, 0xe01c },
	{ XK_KP_Divide, 0xe035 },
	{ XK_KP_Multiply, 0x37 },
	{ XK_KP_Subtract, 0x4a },
	{ XK_KP_Add, 0x4e },
	{ XK_KP_Decimal, 0x53 },
	{ XK_KP_Delete, 0x53 },
	{ XK_KP_0, 0x52 },
	{ XK_KP_1, 0x4f },
	{ XK_KP_2, 0x50 },
	{ XK_KP_3, 0x51 },
	{ XK_KP_4, 0x4b },
	{ XK_KP_5, 0x4c },
	{ XK_KP_6, 0x4d },
	{ XK_KP_7, 0x47 },
	{ XK_KP_8, 0x48 },
	{ XK_KP_9, 0x49 },
	{ XK_KP_Insert, 0x52 },
	{ XK_KP_End, 0x4f },
	{ XK_KP_Down, 0x50 },
	{ XK_KP_Page_Down, 0x51 },
	{ XK_KP_Left, 0x4b },
	{ XK_KP_Begin, 0x4c },
	{ XK_KP_Right, 0x4d },
	{ XK_KP_Home, 0x47 },
	{ XK_KP_Up, 0x48 },
	{ XK_KP_Page_Up, 0x49 },
};

static uint16_t printable(char c)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		const char *p = strchr(rows[i].plain, c);
		const char *s = strchr(rows[i].shifted, c);

		if (p)
			return (uint16_t)(rows[i].first + (p - rows[i].plain));
		if (s)
			return (uint16_t)(rows[i].first + (s - rows[i].shifted));
	}
	return 0;
}

uint16_t keys_scancode(uint32_t keysym)
{
	if (keysym >= 0x20 && keysym < 0x7f)
		return printable((char)keysym);
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++)
		if (others[i].keysym == keysym)
			return others[i].code;
	return 0;
}

bool keys_shifted(uint32_t keysym)
{
	for (size_t i = 0; keysym > 0x20 && keysym < 0x7f && i < sizeof(rows) / sizeof(*rows); i++)
		if (strchr(rows[i].shifted, (int)keysym))
			return true;
	return false;
}

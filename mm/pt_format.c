#include "mm/pt_format.h"

/* Intel SDM vol. 3, 29.3.2, tables 29-1 to 29-7. Leaves: read, write, execute, memory type 6 (write-back) in bits 5:3. */
const struct pt_format pt_ept = {
	.name = "EPT", .levels = 4, .entry_size = 8, .index_bits = 9, .leaf_levels = 1u << 1 | 1u << 2 | 1u << 3,
	.present = 7, .write = 2, .exec = 4, .large = 1u << 7, .accessed = 1u << 8, .dirty = 1u << 9,
	.table_flags = 7, .leaf_flags = 7 | 6u << 3 | 3u << 8,
};

/* AMD APM vol. 2, 15.25.5: nested entries have the long-mode format; every guest access is a user access. */
const struct pt_format pt_npt = {
	.name = "NPT", .levels = 4, .entry_size = 8, .index_bits = 9, .leaf_levels = 1u << 1 | 1u << 2 | 1u << 3,
	.present = 1, .write = 2, .user = 4, .nx = 1ull << 63, .large = 1u << 7, .accessed = 1u << 5, .dirty = 1u << 6,
	.table_flags = 7, .leaf_flags = 7 | 3u << 5,
};

/* The guest's own formats: Intel SDM vol. 3, 4.3, 4.4, 4.5. */
const struct pt_format pt_legacy32 = {
	.name = "32-bit", .levels = 2, .entry_size = 4, .index_bits = 10, .leaf_levels = 1u << 1 | 1u << 2,
	.present = 1, .write = 2, .user = 4, .large = 1u << 7, .accessed = 1u << 5, .dirty = 1u << 6,
};

const struct pt_format pt_pae = {
	.name = "PAE", .levels = 3, .entry_size = 8, .index_bits = 9, .leaf_levels = 1u << 1 | 1u << 2,
	.present = 1, .write = 2, .user = 4, .nx = 1ull << 63, .large = 1u << 7, .accessed = 1u << 5, .dirty = 1u << 6,
};

const struct pt_format pt_long4 = {
	.name = "4-level", .levels = 4, .entry_size = 8, .index_bits = 9, .leaf_levels = 1u << 1 | 1u << 2 | 1u << 3,
	.present = 1, .write = 2, .user = 4, .nx = 1ull << 63, .large = 1u << 7, .accessed = 1u << 5, .dirty = 1u << 6,
};

# Guest tests: freestanding 64-bit kernels in ELF32 images. A kernel is guest-tests/NAME.c, or all of guest-tests/NAME/ where there is
# a main.c; all link the library.
.SECONDEXPANSION:
GUEST_LIB := $(patsubst %,$(BUILD)/guest/obj/%.o,$(wildcard guest-tests/lib/*.c)) \
	$(patsubst %,$(BUILD)/guest/obj/%.o,$(filter-out %/header.asm %/header_aout.asm %/header_text.asm,$(wildcard guest-tests/lib/*.asm)))
GUEST_HEADER := $(BUILD)/guest/obj/guest-tests/lib/header.asm.o
GUEST_HEADER_AOUT := $(BUILD)/guest/obj/guest-tests/lib/header_aout.asm.o
GUEST_HEADER_TEXT := $(BUILD)/guest/obj/guest-tests/lib/header_text.asm.o
GUEST_SINGLE := $(patsubst guest-tests/%.c,%,$(wildcard guest-tests/*.c))
GUEST_FOLDER := $(filter-out lib,$(patsubst guest-tests/%/main.c,%,$(wildcard guest-tests/*/main.c)))
GUEST_SRC := $(wildcard guest-tests/*.c $(GUEST_FOLDER:%=guest-tests/%/*.c) $(GUEST_FOLDER:%=guest-tests/%/*.asm))
GUEST_OBJ := $(GUEST_LIB) $(GUEST_HEADER) $(GUEST_HEADER_AOUT) $(GUEST_HEADER_TEXT) $(patsubst %,$(BUILD)/guest/obj/%.o,$(GUEST_SRC))
GUEST_BIN := $(patsubst %,$(BUILD)/guest/%.elf,$(GUEST_SINGLE) $(GUEST_FOLDER)) $(BUILD)/guest/hello-elf64.elf \
	$(BUILD)/guest/hello-aout.bin $(BUILD)/guest/bzimage-32.bin $(BUILD)/guest/bzimage-64.bin \
	$(BUILD)/guest/rom.bin

# Relative to RIP throughout, so that code also runs where CPL 3 sees it (guest-tests/lib/trap.h).
GUEST_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(shell $(CC_VMM) -print-file-name=include 2>/dev/null) -I. \
	-m64 -mno-red-zone -mgeneral-regs-only -fpie -fvisibility=hidden -fno-stack-protector -fno-asynchronous-unwind-tables \
	-fcf-protection=none -fno-strict-aliasing -fno-common -fno-tree-loop-distribute-patterns $(WARN)
GUEST_LD = $(LD_VMM) -m elf_x86_64 -static --no-dynamic-linker -z noexecstack -z max-page-size=4096 --no-warn-rwx-segments \
	-T guest-tests/lib/guest.ld

guest-tests: $(GUEST_BIN) $(BUILD)/guest/table.txt

$(BUILD)/guest/obj/%.c.o: %.c Makefile mk/guest.mk
	@mkdir -p $(@D)
	$(Q)$(CC_VMM) $(GUEST_CFLAGS) -MMD -MP -c $< -o $@

# NASM 2.16's -MD leaves out what is included.
$(BUILD)/guest/obj/%.asm.o: %.asm $(wildcard guest-tests/*/*.inc) Makefile mk/guest.mk
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -g -F dwarf -I . -o $@ $<

# NAME.sym has the symbols for a debugger; the ELF32 is what boot loaders take.
guest_objects = $(patsubst %,$(BUILD)/guest/obj/%.o,$(filter guest-tests/$(1).c guest-tests/$(1)/%,$(GUEST_SRC)))
$(BUILD)/guest/%.sym: guest-tests/lib/guest.ld $(GUEST_HEADER) $(GUEST_LIB) $$(call guest_objects,$$*)
	$(Q)$(GUEST_LD) -o $@ $(filter %.o,$^)

$(BUILD)/guest/text.sym: guest-tests/lib/guest.ld $(GUEST_HEADER_TEXT) $(GUEST_LIB) $$(call guest_objects,text)
	$(Q)$(GUEST_LD) -o $@ $(filter %.o,$^)

$(BUILD)/guest/%.elf: $(BUILD)/guest/%.sym
	$(Q)$(OBJCOPY) --strip-debug -O elf32-i386 $< $@

$(BUILD)/guest/hello-elf64.elf: $(BUILD)/guest/hello.sym
	$(Q)$(OBJCOPY) --strip-debug $< $@

# At 2 MiB, where its header says; the others are at 1 MiB.
$(BUILD)/guest/hello-aout.sym: guest-tests/lib/guest.ld $(GUEST_HEADER_AOUT) $(GUEST_LIB) $$(call guest_objects,hello)
	$(Q)$(GUEST_LD) --defsym LOAD=0x200000 -o $@ $(filter %.o,$^)

$(BUILD)/guest/hello-aout.bin: $(BUILD)/guest/hello-aout.sym
	$(Q)$(OBJCOPY) -O binary $< $@

# A kernel by Linux's boot protocol, for each of the entries.
$(BUILD)/guest/bzimage-%.bin: guest-tests/bzimage.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -DENTRY=$* -o $@ $<

$(BUILD)/guest/rom.bin: guest-tests/rom.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f bin -o $@ $<

$(BUILD)/guest/table.txt: guest-tests/table.txt
	@mkdir -p $(@D)
	cp $< $@

-include $(GUEST_OBJ:.o=.d)

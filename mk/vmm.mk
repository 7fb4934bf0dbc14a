# The VMM: freestanding, no FPU or SSE registers (they hold the guest's; but see VMM_CODEC), W^X by section.
VMM_C := $(wildcard boot/*.c vmm/*.c vmm/libc/*.c vmm/hw/*.c mm/*.c devices/*.c stream/*.c)
VMM_ASM := $(wildcard boot/*.asm vmm/*.asm)
VMM_OBJ := $(VMM_C:%.c=$(BUILD)/vmm/%.o) $(VMM_ASM:%.asm=$(BUILD)/vmm/%.asm.o)
VMM_CFLAGS := -std=gnu11 -O2 -g -ffreestanding -nostdinc -isystem $(shell $(CC_VMM) -print-file-name=include 2>/dev/null) -isystem vmm/libc -I. -I$(BUILD)/gen \
	-m64 -mno-red-zone -mgeneral-regs-only -mcmodel=small -fno-pic -fno-pie -fno-omit-frame-pointer -fno-stack-protector \
	-fno-asynchronous-unwind-tables -fcf-protection=none -fno-strict-aliasing -fno-common $(WARN) -DTESSERA_VERSION='"$(VERSION)"'

# What only dtx_work reaches, for which vmm/line_picture.c puts the guest's XMM registers aside, works on vectors. No AVX: it would change what
# lies above them.
VMM_CODEC := background cells celldict cellplan copies copysearch dense dense_encode dense_round fast glyphplan glyphs gridsearch mixer movesearch \
	picture pixels rangecoder residual texture tilemap
VMM_CODEC_OBJ := $(VMM_CODEC:%=$(BUILD)/vmm/stream/%.o) $(VMM_CODEC:%=$(BUILD)/analyze/vmm/stream/%.ok)
$(VMM_CODEC_OBJ): VMM_CFLAGS := $(filter-out -mgeneral-regs-only,$(VMM_CFLAGS)) -msse2 -mno-sse3 -mno-mmx

# The guest's ACPI code, as a C array. iasl knows no macros with arguments; the C preprocessor does.
IASL ?= iasl
DSDT := $(BUILD)/gen/dsdt.hex
$(DSDT): devices/dsdt.asl mk/vmm.mk
	@mkdir -p $(@D)
	$(Q)$(CC_VMM) -E -P -x c $< -o $(@D)/dsdt.in.asl
	$(Q)$(IASL) -we -tc -p $(@D)/dsdt $(@D)/dsdt.in.asl >$(@D)/iasl.log 2>&1 || { cat $(@D)/iasl.log; exit 1; }
	@sed 's/^unsigned char/static const unsigned char/' $(@D)/dsdt.hex >$@.tmp && mv $@.tmp $@
$(BUILD)/vmm/devices/acpi_tables.o: $(DSDT)

vmm: $(BUILD)/tessera.elf $(BUILD)/tessera.iso

$(BUILD)/vmm/%.o: %.c Makefile mk/vmm.mk
	@mkdir -p $(@D)
	$(Q)$(CC_VMM) $(VMM_CFLAGS) -MMD -MP -c $< -o $@

$(BUILD)/vmm/%.asm.o: %.asm
	@mkdir -p $(@D)
	$(Q)$(NASM) -f elf64 -g -F dwarf -I . -MD $(@:.o=.d) -o $@ $<

-include $(VMM_OBJ:.o=.d)

# Two links: the first one's symbols become the table that backtraces read. The table lies behind the text, so no function
# moves; cmp holds that. QEMU's -kernel takes a 32-bit ELF only: the 64-bit one, with debug information, is for gdb.
VMM_LINK := $(LD_VMM) -m elf_x86_64 -nostdlib -static -no-pie -z max-page-size=4096 -z noexecstack --no-warn-rwx-segments \
	--build-id=none -T linker.ld
VMM_SYMBOLS := $(BUILD)/vmm/symbols

$(BUILD)/vmm/pass1.elf: $(VMM_OBJ) linker.ld boot/symbols.awk
	awk -f boot/symbols.awk </dev/null >$(VMM_SYMBOLS)0.asm
	$(Q)$(NASM) -f elf64 -o $(VMM_SYMBOLS)0.o $(VMM_SYMBOLS)0.asm
	$(Q)$(VMM_LINK) -o $@ $(VMM_OBJ) $(VMM_SYMBOLS)0.o

$(BUILD)/tessera.sym: $(BUILD)/vmm/pass1.elf
	$(NM) -n $< | awk -f boot/symbols.awk >$(VMM_SYMBOLS).asm
	$(Q)$(NASM) -f elf64 -o $(VMM_SYMBOLS).o $(VMM_SYMBOLS).asm
	$(Q)$(VMM_LINK) -o $@ $(VMM_OBJ) $(VMM_SYMBOLS).o
	@$(NM) -n $@ | awk -f boot/symbols.awk | cmp - $(VMM_SYMBOLS).asm

$(BUILD)/tessera.elf: $(BUILD)/tessera.sym
	$(Q)$(OBJCOPY) --strip-all -O elf32-i386 $< $@

# What a USB stick gets: the VMM and the demo guest. `tessera run` makes an ISO of its own for each run, with the same script.
ISO_GUEST := $(if $(wildcard guest-tests/demo.c guest-tests/demo/main.c),$(BUILD)/guest/demo.elf)
$(BUILD)/tessera.iso: $(BUILD)/tessera.elf boot/grub.cfg boot/mkiso.sh $(ISO_GUEST)
	sh boot/mkiso.sh $@ boot/grub.cfg $< $(ISO_GUEST)

# The VMM under QEMU/KVM: Debian's cloud kernel with its KVM modules, in QEMU TCG (SVM) and in Bochs (VMX), runs Debian's QEMU.
NESTED := $(BUILD)/nested
NESTED_FILES := $(NESTED)/linux/vmlinuz $(NESTED)/linux/initrd
NESTED_DRIVERS := scsi_common scsi_mod libata ata_piix cdrom sr_mod isofs irqbypass kvm kvm-amd kvm-intel
DEPS_NESTED := cpio libc6-dev linux-libc-dev

.PHONY: test-nested bench-kvm
$(NESTED)/linux/vmlinuz: guest-tests/linux/fetch.sh mk/nested.mk
	@sh tests/tools/deps.sh $(DEPS_NESTED)
	sh guest-tests/linux/fetch.sh $(NESTED)/linux linux-image-cloud-amd64 $(NESTED_DRIVERS)

$(NESTED)/linux/initrd: guest-tests/linux/initramfs.sh tests/nested/init $(NESTED)/linux/vmlinuz
	sh guest-tests/linux/initramfs.sh $@ $(NESTED)/linux tests/nested/init

test-nested: all $(NESTED_FILES) $(BUILD)/tests/pngcrc
	@BUILD=$(BUILD) ONLY="$(ONLY)" MACHINES="$(MACHINES)" bash tests/nested/run

# KVM itself, measured in that Linux: the figures that `make bench` prints beside ours.
$(BUILD)/bench-kvm/kvm: bench/kvm/kvm.c
	@mkdir -p $(@D)
	$(Q)$(CC_VMM) -O2 $(WARN) -static -o $@ $<

$(BUILD)/bench-kvm/initrd: guest-tests/linux/initramfs.sh bench/kvm/init $(BUILD)/bench-kvm/kvm $(NESTED)/linux/vmlinuz
	sh guest-tests/linux/initramfs.sh $@ $(NESTED)/linux bench/kvm/init $(BUILD)/bench-kvm/kvm

bench-kvm: $(BUILD)/bench-kvm/initrd
	@BUILD=$(BUILD) MACHINES="$(MACHINES)" bash bench/kvm/run

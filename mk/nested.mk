# The VMM under QEMU/KVM: Debian's cloud kernel with its KVM modules, in QEMU TCG (SVM) and in Bochs (VMX), runs Debian's QEMU.
NESTED := $(BUILD)/nested
NESTED_FILES := $(NESTED)/linux/vmlinuz $(NESTED)/linux/initrd
NESTED_DRIVERS := scsi_common scsi_mod libata ata_piix cdrom sr_mod isofs irqbypass kvm kvm-amd kvm-intel
DEPS_NESTED := cpio

.PHONY: test-nested
$(NESTED)/linux/vmlinuz: guest-tests/linux/fetch.sh mk/nested.mk
	@sh tests/tools/deps.sh $(DEPS_NESTED)
	sh guest-tests/linux/fetch.sh $(NESTED)/linux linux-image-cloud-amd64 $(NESTED_DRIVERS)

$(NESTED)/linux/initrd: guest-tests/linux/initramfs.sh tests/nested/init $(NESTED)/linux/vmlinuz
	sh guest-tests/linux/initramfs.sh $@ $(NESTED)/linux tests/nested/init

test-nested: all $(NESTED_FILES) $(BUILD)/tests/pngcrc
	@BUILD=$(BUILD) ONLY="$(ONLY)" MACHINES="$(MACHINES)" bash tests/nested/run

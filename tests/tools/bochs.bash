# shellcheck shell=bash
# bochsrc MODEL ISO DIR [IPS]: the configuration of a headless Bochs that boots a CD; COM1 goes to DIR/console.txt. Time counts instructions,
# IPS of them a second.
bochs_ips=200000000
bochsrc() {
  cat <<END
plugin_ctrl: unmapped=1, serial=1, speaker=0, gameport=0, parallel=0
display_library: rfb, options="timeout=0"
megs: 768
cpu: model=$1, ips=${4:-$bochs_ips}, reset_on_triple_fault=0
clock: sync=none, time0=1700000000
romimage: file=/usr/share/bochs/BIOS-bochs-latest, options=fastboot
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-slave: type=cdrom, path="$2", status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev="$3/console.txt"
log: "$3/bochs.log"
panic: action=fatal
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
speaker: enabled=0
END
}

# For Linux's command line there: as many as its clock's ticks. The Intel models say by CPUID how fast the TSC of a real one is (3.5 GHz);
# Linux would believe it, and all that waits for a time would have 17 times as much to execute.
# shellcheck disable=SC2034 # for those who take this file
bochs_linux="tsc_early_khz=$((bochs_ips / 1000))"

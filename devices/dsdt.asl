/*
 * What the guest's firmware tells of the PC (ACPI 6.4, 19). Goes through the C preprocessor and iasl;
 * acpi_tables.c gives it to the guest as it is: nothing in
 * here depends on options. The numbers are those of layout.h, pc.c, acpi_pm.h and acpi_pcihp.h.
 */
DefinitionBlock ("dsdt.aml", "DSDT", 2, "TESSRA", "TESSERA", 1)
{
	/* The only sleeping state: ACPI_S5_TYPE. */
	Name (\_S5, Package () { 0, 0, 0, 0 })

	Scope (\_SB)
	{
		Device (CPU0)
		{
			Name (_HID, "ACPI0007")
			Name (_UID, 0)
		}

		Device (PCI0)
		{
			Name (_HID, EisaId ("PNP0A03"))
			Name (_UID, 0)
			Name (_BBN, 0)
			Name (_CRS, ResourceTemplate ()
			{
				WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0, 0, 1)
				IO (Decode16, 0x0cf8, 0x0cf8, 1, 8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0000, 0x0cf7, 0, 0x0cf8)
				WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange, 0, 0x0d00, 0xffff, 0, 0xf300)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
					0, 0x000a0000, 0x000bffff, 0, 0x00020000)
				DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
					0, 0xc0000000, 0xfebfffff, 0, 0x3ec00000)
			})

			/* No function here has an interrupt pin; one that had would use IRQ 10 or 11, as their wires go. */
			Name (_PRT, Package ()
			{
				Package () { 0xffff, 0, 0, 10 },
				Package () { 0xffff, 1, 0, 11 },
				Package () { 0xffff, 2, 0, 10 },
				Package () { 0xffff, 3, 0, 11 }
			})

			/* ---- hot-plug: the registers of acpi_pcihp.h */

			OperationRegion (HPR, SystemIO, 0xae00, 20)
			Field (HPR, DWordAcc, NoLock, WriteAsZeros)
			{
				UP, 32,
				DOWN, 32,
				EJCT, 32,
				RMV, 32,
				BSEL, 32
			}
			Mutex (HPM, 0)

			/* Arg0: slot. */
			Method (EJ, 1, NotSerialized)
			{
				Acquire (HPM, 0xffff)
				Store (Zero, BSEL)
				Store (ShiftLeft (One, Arg0), EJCT)
				Release (HPM)
			}

#define SLOT(name, number) \
			Device (name) \
			{ \
				Name (_ADR, number << 16) \
				Name (_SUN, number) \
				Method (_EJ0, 1) { EJ (number) } \
			}

			SLOT (S02, 2)
			SLOT (S03, 3)
			SLOT (S04, 4)
			SLOT (S05, 5)
			SLOT (S06, 6)
			SLOT (S07, 7)
			SLOT (S08, 8)
			SLOT (S09, 9)
			SLOT (S0A, 10)
			SLOT (S0B, 11)
			SLOT (S0C, 12)
			SLOT (S0D, 13)
			SLOT (S0E, 14)
			SLOT (S0F, 15)
			SLOT (S10, 16)
			SLOT (S11, 17)

#define NOTE(name, number) If (And (Arg0, ShiftLeft (One, number))) { Notify (name, Arg1) }

			/* Tells the slots of mask Arg0: Arg1 1, look for a card; 3, give it up. */
			Method (TELL, 2, NotSerialized)
			{
				NOTE (S02, 2)
				NOTE (S03, 3)
				NOTE (S04, 4)
				NOTE (S05, 5)
				NOTE (S06, 6)
				NOTE (S07, 7)
				NOTE (S08, 8)
				NOTE (S09, 9)
				NOTE (S0A, 10)
				NOTE (S0B, 11)
				NOTE (S0C, 12)
				NOTE (S0D, 13)
				NOTE (S0E, 14)
				NOTE (S0F, 15)
				NOTE (S10, 16)
				NOTE (S11, 17)
			}

			Method (SCAN, 0, NotSerialized)
			{
				Acquire (HPM, 0xffff)
				Store (Zero, BSEL)
				Store (UP, Local0)
				Store (DOWN, Local1)
				Release (HPM)
				TELL (Local0, 1)
				TELL (Local1, 3)
			}

			/* ---- the PC's other devices */

			Device (RTC)
			{
				Name (_HID, EisaId ("PNP0B00"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x0070, 0x0070, 1, 2)
					IRQNoFlags () { 8 }
				})
			}

			Device (KBD)
			{
				Name (_HID, EisaId ("PNP0303"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x0060, 0x0060, 1, 1)
					IO (Decode16, 0x0064, 0x0064, 1, 1)
					IRQNoFlags () { 1 }
				})
			}

			Device (MOU)
			{
				Name (_HID, EisaId ("PNP0F13"))
				Name (_CRS, ResourceTemplate () { IRQNoFlags () { 12 } })
			}

			Device (COM1)
			{
				Name (_HID, EisaId ("PNP0501"))
				Name (_UID, 1)
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x03f8, 0x03f8, 1, 8)
					IRQNoFlags () { 4 }
				})
			}

			/* Addresses that nothing else may be given. */
			Device (RES)
			{
				Name (_HID, EisaId ("PNP0C02"))
				Name (_CRS, ResourceTemplate ()
				{
					IO (Decode16, 0x0600, 0x0600, 1, 0x0c)
					IO (Decode16, 0xae00, 0xae00, 1, 0x14)
					IO (Decode16, 0xafe0, 0xafe0, 1, 0x04)
					Memory32Fixed (ReadWrite, 0xfef00000, 0x00100000)
				})
			}

			/* QEMU's fw_cfg, under the name that its drivers look for. */
			Device (FWCF)
			{
				Name (_HID, "QEMU0002")
				Name (_STA, 0x0b)
				Name (_CRS, ResourceTemplate () { IO (Decode16, 0x0510, 0x0510, 1, 0x0c) })
			}
		}

		/* There when its registers are: the vendor is not nothing, and its clock is within bounds (IA-PC HPET 1.0a, 2.3.4). */
		Device (HPET)
		{
			Name (_HID, EisaId ("PNP0103"))
			Name (_UID, 0)
			OperationRegion (HPTR, SystemMemory, 0xfed00000, 0x400)
			Field (HPTR, DWordAcc, NoLock, Preserve)
			{
				VEND, 32,
				PRD, 32
			}
			Method (_STA, 0, NotSerialized)
			{
				Store (ShiftRight (VEND, 16), Local0)
				If (LOr (LEqual (Local0, 0), LEqual (Local0, 0xffff)))
				{
					Return (0)
				}
				If (LOr (LEqual (PRD, 0), LGreater (PRD, 100000000)))
				{
					Return (0)
				}
				Return (0x0f)
			}
			Name (_CRS, ResourceTemplate () { Memory32Fixed (ReadOnly, 0xfed00000, 0x400) })
		}
	}

	Scope (\_GPE)
	{
		/* ACPI_PCIHP_GPE */
		Method (_E01, 0, NotSerialized)
		{
			\_SB.PCI0.SCAN ()
		}
	}
}

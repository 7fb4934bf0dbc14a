/* The VMCS: encodings of the fields in use (SDM vol. 3, appendix B), and the bits of its control fields (25.6 to 25.9). */
#ifndef VMM_VMX_VMCS_H
#define VMM_VMX_VMCS_H

/* X(name, encoding). Segment registers' fields follow each other in enum vseg's order: SEL, LIMIT, ATTR, BASE of ES + 2 * n. */
#define VMCS_FIELDS(X)                                                                                                             \
	X(VPID, 0x0000)                                                                                                            \
	X(GUEST_ES_SEL, 0x0800)                                                                                                    \
	X(GUEST_CS_SEL, 0x0802)                                                                                                    \
	X(GUEST_SS_SEL, 0x0804)                                                                                                    \
	X(GUEST_DS_SEL, 0x0806)                                                                                                    \
	X(GUEST_FS_SEL, 0x0808)                                                                                                    \
	X(GUEST_GS_SEL, 0x080a)                                                                                                    \
	X(GUEST_LDTR_SEL, 0x080c)                                                                                                  \
	X(GUEST_TR_SEL, 0x080e)                                                                                                    \
	X(GUEST_PML_INDEX, 0x0812)                                                                                                 \
	X(HOST_ES_SEL, 0x0c00)                                                                                                     \
	X(HOST_CS_SEL, 0x0c02)                                                                                                     \
	X(HOST_SS_SEL, 0x0c04)                                                                                                     \
	X(HOST_DS_SEL, 0x0c06)                                                                                                     \
	X(HOST_FS_SEL, 0x0c08)                                                                                                     \
	X(HOST_GS_SEL, 0x0c0a)                                                                                                     \
	X(HOST_TR_SEL, 0x0c0c)                                                                                                     \
	X(EXIT_MSR_LOAD, 0x2008)                                                                                                   \
	X(ENTRY_MSR_LOAD, 0x200a)                                                                                                  \
	X(MSR_BITMAP, 0x2004)                                                                                                      \
	X(PML_ADDRESS, 0x200e)                                                                                                     \
	X(TSC_OFFSET, 0x2010)                                                                                                      \
	X(EPT_POINTER, 0x201a)                                                                                                     \
	X(GUEST_PHYSICAL, 0x2400)                                                                                                  \
	X(LINK_POINTER, 0x2800)                                                                                                    \
	X(GUEST_DEBUGCTL, 0x2802)                                                                                                  \
	X(GUEST_PAT, 0x2804)                                                                                                       \
	X(GUEST_EFER, 0x2806)                                                                                                      \
	X(GUEST_PDPTE0, 0x280a)                                                                                                    \
	X(GUEST_PDPTE1, 0x280c)                                                                                                    \
	X(GUEST_PDPTE2, 0x280e)                                                                                                    \
	X(GUEST_PDPTE3, 0x2810)                                                                                                    \
	X(HOST_PAT, 0x2c00)                                                                                                        \
	X(HOST_EFER, 0x2c02)                                                                                                       \
	X(PIN_CONTROLS, 0x4000)                                                                                                    \
	X(PROC_CONTROLS, 0x4002)                                                                                                   \
	X(EXCEPTION_BITMAP, 0x4004)                                                                                                \
	X(PF_ERROR_MASK, 0x4006)                                                                                                   \
	X(PF_ERROR_MATCH, 0x4008)                                                                                                  \
	X(CR3_TARGET_COUNT, 0x400a)                                                                                                \
	X(EXIT_CONTROLS, 0x400c)                                                                                                   \
	X(EXIT_MSR_STORE_COUNT, 0x400e)                                                                                            \
	X(EXIT_MSR_LOAD_COUNT, 0x4010)                                                                                             \
	X(ENTRY_CONTROLS, 0x4012)                                                                                                  \
	X(ENTRY_MSR_LOAD_COUNT, 0x4014)                                                                                            \
	X(ENTRY_EVENT, 0x4016)                                                                                                     \
	X(ENTRY_EVENT_ERROR, 0x4018)                                                                                               \
	X(ENTRY_INSN_LEN, 0x401a)                                                                                                  \
	X(PROC2_CONTROLS, 0x401e)                                                                                                  \
	X(INSN_ERROR, 0x4400)                                                                                                      \
	X(EXIT_REASON, 0x4402)                                                                                                     \
	X(EXIT_EVENT, 0x4404)                                                                                                      \
	X(EXIT_EVENT_ERROR, 0x4406)                                                                                                \
	X(VECTORING_EVENT, 0x4408)                                                                                                 \
	X(VECTORING_EVENT_ERROR, 0x440a)                                                                                           \
	X(EXIT_INSN_LEN, 0x440c)                                                                                                   \
	X(EXIT_INSN_INFO, 0x440e)                                                                                                  \
	X(GUEST_ES_LIMIT, 0x4800)                                                                                                  \
	X(GUEST_CS_LIMIT, 0x4802)                                                                                                  \
	X(GUEST_SS_LIMIT, 0x4804)                                                                                                  \
	X(GUEST_DS_LIMIT, 0x4806)                                                                                                  \
	X(GUEST_FS_LIMIT, 0x4808)                                                                                                  \
	X(GUEST_GS_LIMIT, 0x480a)                                                                                                  \
	X(GUEST_LDTR_LIMIT, 0x480c)                                                                                                \
	X(GUEST_TR_LIMIT, 0x480e)                                                                                                  \
	X(GUEST_GDTR_LIMIT, 0x4810)                                                                                                \
	X(GUEST_IDTR_LIMIT, 0x4812)                                                                                                \
	X(GUEST_ES_ATTR, 0x4814)                                                                                                   \
	X(GUEST_CS_ATTR, 0x4816)                                                                                                   \
	X(GUEST_SS_ATTR, 0x4818)                                                                                                   \
	X(GUEST_DS_ATTR, 0x481a)                                                                                                   \
	X(GUEST_FS_ATTR, 0x481c)                                                                                                   \
	X(GUEST_GS_ATTR, 0x481e)                                                                                                   \
	X(GUEST_LDTR_ATTR, 0x4820)                                                                                                 \
	X(GUEST_TR_ATTR, 0x4822)                                                                                                   \
	X(GUEST_INTERRUPTIBILITY, 0x4824)                                                                                          \
	X(GUEST_ACTIVITY, 0x4826)                                                                                                  \
	X(GUEST_SYSENTER_CS, 0x482a)                                                                                               \
	X(GUEST_PREEMPTION_TIMER, 0x482e)                                                                                          \
	X(HOST_SYSENTER_CS, 0x4c00)                                                                                                \
	X(CR0_OWNED, 0x6000)                                                                                                       \
	X(CR4_OWNED, 0x6002)                                                                                                       \
	X(CR0_SHADOW, 0x6004)                                                                                                      \
	X(CR4_SHADOW, 0x6006)                                                                                                      \
	X(QUALIFICATION, 0x6400)                                                                                                   \
	X(GUEST_LINEAR, 0x640a)                                                                                                    \
	X(GUEST_CR0, 0x6800)                                                                                                       \
	X(GUEST_CR3, 0x6802)                                                                                                       \
	X(GUEST_CR4, 0x6804)                                                                                                       \
	X(GUEST_ES_BASE, 0x6806)                                                                                                   \
	X(GUEST_CS_BASE, 0x6808)                                                                                                   \
	X(GUEST_SS_BASE, 0x680a)                                                                                                   \
	X(GUEST_DS_BASE, 0x680c)                                                                                                   \
	X(GUEST_FS_BASE, 0x680e)                                                                                                   \
	X(GUEST_GS_BASE, 0x6810)                                                                                                   \
	X(GUEST_LDTR_BASE, 0x6812)                                                                                                 \
	X(GUEST_TR_BASE, 0x6814)                                                                                                   \
	X(GUEST_GDTR_BASE, 0x6816)                                                                                                 \
	X(GUEST_IDTR_BASE, 0x6818)                                                                                                 \
	X(GUEST_DR7, 0x681a)                                                                                                       \
	X(GUEST_RSP, 0x681c)                                                                                                       \
	X(GUEST_RIP, 0x681e)                                                                                                       \
	X(GUEST_RFLAGS, 0x6820)                                                                                                    \
	X(GUEST_PENDING_DEBUG, 0x6822)                                                                                             \
	X(GUEST_SYSENTER_ESP, 0x6824)                                                                                              \
	X(GUEST_SYSENTER_EIP, 0x6826)                                                                                              \
	X(HOST_CR0, 0x6c00)                                                                                                        \
	X(HOST_CR3, 0x6c02)                                                                                                        \
	X(HOST_CR4, 0x6c04)                                                                                                        \
	X(HOST_FS_BASE, 0x6c06)                                                                                                    \
	X(HOST_GS_BASE, 0x6c08)                                                                                                    \
	X(HOST_TR_BASE, 0x6c0a)                                                                                                    \
	X(HOST_GDTR_BASE, 0x6c0c)                                                                                                  \
	X(HOST_IDTR_BASE, 0x6c0e)                                                                                                  \
	X(HOST_SYSENTER_ESP, 0x6c10)                                                                                               \
	X(HOST_SYSENTER_EIP, 0x6c12)                                                                                               \
	X(HOST_RSP, 0x6c14) /* vmx_entry.asm writes it */                                                                          \
	X(HOST_RIP, 0x6c16)

enum vmcs_field {
#define X(name, encoding) VMCS_##name = encoding,
	VMCS_FIELDS(X)
#undef X
};

/* ---- pin-based controls (25.6.1) */
#define PIN_EXTERNAL_INTERRUPT (1u << 0)
#define PIN_NMI (1u << 3)
#define PIN_VIRTUAL_NMIS (1u << 5)
#define PIN_PREEMPTION_TIMER (1u << 6)

/* ---- primary processor-based controls (25.6.2, table 25-6) */
#define PROC_IRQ_WINDOW (1u << 2)
#define PROC_TSC_OFFSET (1u << 3)
#define PROC_HLT (1u << 7)
#define PROC_INVLPG (1u << 9)
#define PROC_MWAIT (1u << 10)
#define PROC_RDPMC (1u << 11)
#define PROC_CR3_LOAD (1u << 15)
#define PROC_CR3_STORE (1u << 16)
#define PROC_CR8_LOAD (1u << 19)
#define PROC_CR8_STORE (1u << 20)
#define PROC_NMI_WINDOW (1u << 22)
#define PROC_IO (1u << 24)
#define PROC_MSR_BITMAPS (1u << 28)
#define PROC_MONITOR (1u << 29)
#define PROC_SECONDARY (1u << 31)

/* ---- secondary processor-based controls (table 25-7) */
#define PROC2_EPT (1u << 1)
#define PROC2_RDTSCP (1u << 3)
#define PROC2_VPID (1u << 5)
#define PROC2_WBINVD (1u << 6)
#define PROC2_UNRESTRICTED (1u << 7)
#define PROC2_PML (1u << 17)

/* ---- VM-exit controls (25.7.1) */
#define EXITC_SAVE_DEBUG (1u << 2)
#define EXITC_HOST_64 (1u << 9)
#define EXITC_SAVE_PAT (1u << 18)
#define EXITC_LOAD_PAT (1u << 19)
#define EXITC_SAVE_EFER (1u << 20)
#define EXITC_LOAD_EFER (1u << 21)

/* ---- VM-entry controls (25.8.1) */
#define ENTRYC_LOAD_DEBUG (1u << 2)
#define ENTRYC_IA32E (1u << 9)
#define ENTRYC_LOAD_PAT (1u << 14)
#define ENTRYC_LOAD_EFER (1u << 15)

/* ---- interruption information: of entries (25.8.3), exits (25.9.2) and IDT vectoring (25.9.3) */
#define EVENT_INFO_VECTOR 0xffu
#define EVENT_INFO_TYPE(info) ((info) >> 8 & 7)
#define EVENT_INFO_ERROR (1u << 11)
#define EVENT_INFO_NMI_UNBLOCKED (1u << 12) /* exits only: IRET had ended NMI blocking (28.2.3) */
#define EVENT_INFO_VALID (1u << 31)

/* ---- guest interruptibility and pending debug exceptions (tables 25-3, 25-4) */
#define BLOCKED_STI (1u << 0)
#define BLOCKED_SS (1u << 1)
#define BLOCKED_SMI (1u << 2)
#define BLOCKED_NMI (1u << 3)
#define BLOCKED_ENCLAVE (1u << 4)
#define PENDING_ENABLED (1u << 12)
#define PENDING_BS (1u << 14)
#define PENDING_RTM (1u << 16)

#define DEBUGCTL_LBR (1ull << 0)
#define DEBUGCTL_BTF (1ull << 1)

/* ---- exit qualification of EPT violations (table 28-7) */
#define EPTV_WRITE (1u << 1)
#define EPTV_FETCH (1u << 2)
#define EPTV_READABLE (1u << 3)
#define EPTV_LINEAR_VALID (1u << 7)
#define EPTV_TRANSLATED (1u << 8) /* the access was to the translation's result; else to a paging-structure entry */
#define EPTV_NMI_UNBLOCKED (1u << 12)

/* ---- exit reason (table 25-17) */
#define REASON_BASIC 0xffffu
#define REASON_EPT_VIOLATION 48u
#define REASON_ENTRY_FAILED (1u << 31)

/* ---- IA32_VMX_EPT_VPID_CAP (A.10) */
#define EPTCAP_WALK_4 (1ull << 6)
#define EPTCAP_WB (1ull << 14)
#define EPTCAP_2M (1ull << 16)
#define EPTCAP_1G (1ull << 17)
#define EPTCAP_INVEPT (1ull << 20)
#define EPTCAP_AD (1ull << 21)
#define EPTCAP_INVEPT_SINGLE (1ull << 25)
#define EPTCAP_INVEPT_ALL (1ull << 26)
#define EPTCAP_INVVPID (1ull << 32)
#define EPTCAP_INVVPID_SINGLE (1ull << 41)
#define EPTCAP_INVVPID_ALL (1ull << 42)

/* ---- EPT pointer (table 25-9) */
#define EPTP_WB 6ull
#define EPTP_WALK_4 (3ull << 3)
#define EPTP_AD (1ull << 6)

#endif

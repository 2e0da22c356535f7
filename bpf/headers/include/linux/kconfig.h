/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* bcc includes this file first, by this name. */
#define CONFIG_BPF_SYSCALL 1

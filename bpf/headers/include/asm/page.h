/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* For the sizes of rings; the loader rounds them up where pages are larger. */
#define PAGE_SIZE 4096

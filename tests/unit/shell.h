/* What tests have the shell do; and whether it has a compiler, without which tests that build plug-ins are skipped. */
#ifndef TEST_UNIT_SHELL_H
#define TEST_UNIT_SHELL_H

#include <ppmpi.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The exit status, as system() has it; -1 for a command that is too long. */
PP_PRINTF(1, 2) static inline int shell(const char *format, ...)
{
    char command[4096];
    va_list list;
    va_start(list, format);
    int length = vsnprintf(command, sizeof command, format, list);
    va_end(list);
    return length >= 0 && (size_t)length < sizeof command ? system(command) : -1;
}

static inline int have_cc(void)
{
    if (shell("cc --version > /dev/null 2>&1") == 0) return 1;
    printf("skipped: there is no cc to build plug-ins with\n");
    return 0;
}

#endif

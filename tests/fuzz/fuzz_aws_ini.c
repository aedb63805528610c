/* SPDX-License-Identifier: Apache-2.0
 * Copyright The hiwari authors */
/* fuzz_aws_ini.c - any bytes as a file of AWS' keys: a value is one line without blanks around it.
 */
#include "fuzz.h"

#include "store/aws_auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    CLEANUP(str_deinit) struct str value = {0};
    if (aws_ini_value((const char *)data, len, "default", "region", &value) &&
        (value.len == 0 || memchr(value.s, '\n', value.len) || value.s[0] == ' ' ||
         value.s[value.len - 1] == ' '))
        __builtin_trap();
    return 0;
}

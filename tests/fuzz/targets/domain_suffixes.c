/* Any bytes as a suffix list: no crash; a list that is accepted answers for any host. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/domain/domain.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const urls[] = {"http://a.b.c.d.com/", "http://xn--55qx5d.cn/",
                                       "http://com/", "http://www.city.kobe.jp/"};
    struct domain_suffixes *s;
    struct domain_load_error why;
    if (domain_suffixes_parse((const char *)data, size, &s, &why) < 0) {
        if (memchr(why.what, '\0', sizeof why.what) == NULL || why.what[0] == '\0')
            abort();
        return 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(urls); i++) {
        struct domain_result r;
        if (domain_parse(s, urls[i], strlen(urls[i]), &r) != DOMAIN_OK)
            abort();
        if (r.all.suffix_at >= r.host_len || r.icann.suffix_at >= r.host_len)
            abort();
    }
    domain_suffixes_unref(s);
    return 0;
}
